import { defineOutput } from '../../core/contract.ts';
import { batchingLimits } from '../_kit/batching.ts';
import { ensureTemplate } from './ensure-template.ts';
import { keys } from './keys.ts';
import { Elasticsearch, MAX_ITEMS } from './output.ts';

/** http.max_content_length is 100 MB; bodies above 15 MB are advised against: elastic.co/docs/deploy-manage/production-guidance/optimize-performance/indexing-speed. */
const MAX_BATCH_BYTES = 15_000_000;

export default defineOutput({
  name: 'elasticsearch',
  title: 'Elasticsearch',
  category: 'logs',
  docs: 'Stores alerts in Elasticsearch or OpenSearch, see https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-create.',
  http: true,
  keys,
  enabled: config => config.hostport !== '',
  batchBy: ({ batching }) => batchingLimits(batching, { items: MAX_ITEMS, bytes: MAX_BATCH_BYTES }),
  concurrency: 8,
  async open(config, host) {
    if (config.createindextemplate) await ensureTemplate(config, host);
    return new Elasticsearch(config, host);
  },
  templateBody: () => 'json',
  example: { hostport: 'https://elasticsearch.example:9200' },
});
