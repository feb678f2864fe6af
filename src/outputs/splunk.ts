import type { Alert } from '../core/contract.ts';
import { secret, secretUrl } from '../core/keys.ts';
import { BATCH_WAIT_MS } from './_kit/batching.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';

/** Events stand one behind the other, without commas: docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector. */
function toRequest(alerts: readonly Alert[], config: { host: string; token: string }): HttpMessage {
  return {
    url: config.host,
    headers: config.token === '' ? {} : { authorization: `Splunk ${config.token}` },
    body: alerts.map(({ json }) => `{"event":${json},"sourcetype":"falcosidekick"}`).join('\n'),
  };
}

export default defineHttpOutput({
  name: 'splunk',
  title: 'Splunk',
  category: 'siem',
  docs: 'Sends alerts to the HTTP Event Collector of Splunk, see https://docs.splunk.com/Documentation/Splunk/latest/Data/UsetheHTTPEventCollector.',
  keys: {
    host: secretUrl(
      'URL of the collector with its path, `https://splunk:8088/services/collector/event`; setting it turns the output on.',
    ),
    token: secret('Token of the collector.'),
  },
  enabledBy: 'host',
  // Splunk Cloud recommends requests of 1 MB at most; the collector itself takes 800 MB:
  // docs.splunk.com/Documentation/Splunk/latest/Admin/Limitsconf, `[http_input] max_content_length`.
  batch: { items: 500, bytes: 1_000_000, waitMs: BATCH_WAIT_MS },
  concurrency: 8,
  // falcosidekick sets the token last.
  ownHeaders: ({ token }) => (token === '' ? [] : ['authorization']),
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  example: { host: 'https://splunk.example:8088/services/collector/event', token: 'hec-token' },
});
