import { secretUrl, text } from '../core/keys.ts';
import { BATCH_WAIT_MS } from './_kit/batching.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { toLines } from './_kit/ndjson.ts';

interface SumoLogicConfig {
  receiverurl: string;
  sourcecategory: string;
  sourcehost: string;
  name: string;
}

function toRequest(config: SumoLogicConfig, body: Buffer): HttpMessage {
  return {
    url: config.receiverurl,
    headers: {
      ...(config.sourcecategory !== '' && { 'x-sumo-category': config.sourcecategory }),
      ...(config.sourcehost !== '' && { 'x-sumo-host': config.sourcehost }),
      ...(config.name !== '' && { 'x-sumo-name': config.name }),
    },
    body,
  };
}

export default defineHttpOutput({
  name: 'sumologic',
  title: 'Sumo Logic',
  category: 'logs',
  docs: 'Posts alerts to an HTTP source of Sumo Logic, a line of JSON each; for a source with `Enable One Message Per Request` set `delivery.batch.items` to 1, see https://help.sumologic.com/docs/send-data/hosted-collectors/http-source/logs-metrics.',
  keys: {
    receiverurl: secretUrl('Address of the HTTP source; setting it turns the output on.'),
    sourcecategory: text('Overrides the `_sourceCategory` of the source.'),
    sourcehost: text('Overrides the `_sourceHost` of the source.'),
    name: text('Overrides the `_sourceName` of the source.'),
  },
  enabledBy: 'receiverurl',
  // A payload has 1 MB at most, and 100 KB and more are recommended: see the page named above.
  batch: { items: 500, bytes: 900_000, waitMs: BATCH_WAIT_MS },
  concurrency: 8,
  request: (alert, config) => toRequest(config, alert.bytes),
  requestBatch: (alerts, config) => toRequest(config, toLines(alerts)),
  templateBody: () => 'json',
  example: { receiverurl: 'https://endpoint.collection.sumologic.example/receiver/v1/http/token' },
});
