import type { Alert } from '../core/contract.ts';
import { secret, text, url } from '../core/keys.ts';
import { toPathSegment } from '../core/url-parts.ts';
import { basicAuth } from './_kit/auth.ts';
import { batchingKey, batchingLimits } from './_kit/batching.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { expectNoneRefused, outcomesIn } from './_kit/refused.ts';
import { joinUrl } from './_kit/url.ts';

/**
 * The server reads a bulk request by lines of 1 MiB at most (github.com/zincsearch/zincsearch, pkg/handlers/document/bulk.go);
 * a larger alert goes by itself, to the other address.
 */
const MAX_BATCH_BYTES = 1_000_000;

/** Action and document in turns: zincsearch-docs.zinc.dev/api/document/bulk. */
function toBulk(alerts: readonly Alert[], index: string): string {
  const action = JSON.stringify({ index: { _index: index } });
  return alerts.map(({ json }) => `${action}\n${json}\n`).join('');
}

export default defineHttpOutput({
  name: 'zincsearch',
  title: 'ZincSearch',
  category: 'logs',
  docs: 'Stores alerts in an index of ZincSearch, see https://zincsearch-docs.zinc.dev/api/document/create.',
  keys: {
    hostport: url('Address of ZincSearch; setting it turns the output on.'),
    index: text('Index.', 'falco'),
    username: text('User name, for basic authentication.'),
    password: secret('Password, for basic authentication.'),
    batching: batchingKey(),
  },
  enabledBy: 'hostport',
  batchBy: ({ batching }) => batchingLimits(batching, { items: 1000, bytes: MAX_BATCH_BYTES }),
  request: (alert, config) => ({
    url: joinUrl(config.hostport, `/api/${toPathSegment(config.index)}/_doc`),
    headers: basicAuth(config.username, config.password),
    body: alert.bytes,
  }),
  requestBatch: (alerts, config) => ({
    url: joinUrl(config.hostport, '/api/_bulk'),
    headers: basicAuth(config.username, config.password),
    body: toBulk(alerts, config.index),
  }),
  verdict(response, alerts) {
    if (alerts.length === 1) return;
    const { record_count } = outcomesIn(response, alerts.length);
    if (typeof record_count === 'number') {
      expectNoneRefused(alerts.length - record_count, alerts.length, response);
    }
  },
  templateBody: () => 'json',
  example: { hostport: 'http://zincsearch.example:4080' },
});
