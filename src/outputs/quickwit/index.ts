import { flag, text, url } from '../../core/keys.ts';
import { BATCH_WAIT_MS } from '../_kit/batching.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toLines } from '../_kit/ndjson.ts';
import { expectNoneRefused, outcomesIn } from '../_kit/refused.ts';
import { ensureIndex, toRequest } from './api.ts';

export default defineHttpOutput({
  name: 'quickwit',
  title: 'Quickwit',
  category: 'logs',
  docs: 'Stores alerts in an index of Quickwit, see https://quickwit.io/docs/reference/rest-api.',
  keys: {
    hostport: url('Address of Quickwit; setting it turns the output on.'),
    apiendpoint: text('Path of the API.', 'api/v1'),
    index: text('Index.', 'falco'),
    version: text('Version of the index configuration, for `autocreateindex`.', '0.7'),
    autocreateindex: flag('Whether the index is made when it is not there.'),
  },
  enabledBy: 'hostport',
  async prepare(config, host) {
    if (config.autocreateindex) await ensureIndex(config, host);
  },
  // A request has 10 MB at most: https://quickwit.io/docs/reference/rest-api#ingest-data-into-an-index.
  batch: { items: 1000, bytes: 5_000_000, waitMs: BATCH_WAIT_MS },
  concurrency: 8,
  request: (alert, config) => toRequest(config, alert.bytes),
  requestBatch: (alerts, config) => toRequest(config, toLines(alerts)),
  verdict: (response, alerts) =>
    expectNoneRefused(outcomesIn(response, alerts.length).num_rejected_docs, alerts.length, response),
  templateBody: () => 'json',
  example: { hostport: 'http://quickwit.example:7280' },
});
