import type { Alert } from '../core/contract.ts';
import { secret, text, url } from '../core/keys.ts';
import { BATCH_WAIT_MS } from './_kit/batching.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { joinUrl } from './_kit/url.ts';

/** A log entry: docs.datadoghq.com/api/latest/logs#send-logs. */
function toLog(alert: Alert, service: string) {
  const tags = alert.tags.join(',');
  return {
    ddsource: 'falco',
    ...(tags !== '' && { ddtags: tags }),
    ...(alert.hostname !== '' && { hostname: alert.hostname }),
    message: alert.json,
    ...(service !== '' && { service }),
  };
}

function toRequest(config: { host: string; apikey: string }, json: unknown): HttpMessage {
  return {
    url: joinUrl(config.host, '/api/v2/logs'),
    headers: { 'dd-api-key': config.apikey },
    json,
  };
}

export default defineHttpOutput({
  name: 'datadoglogs',
  title: 'Datadog Logs',
  category: 'logs',
  docs: 'Sends alerts to the log intake of Datadog, see https://docs.datadoghq.com/api/latest/logs.',
  keys: {
    apikey: secret('API key; setting it turns the output on.'),
    host: url('Address of the log intake of your site.', undefined, {
      fallback: 'https://http-intake.logs.datadoghq.com/',
    }),
    service: text('The `service` of the entries.'),
  },
  enabledBy: 'apikey',
  // 1000 entries and 5 MB at most, says the page of `toLog`. Alerts grow by their escaped quotes, so less than that in bytes of alerts.
  batch: { items: 1000, bytes: 2_000_000, waitMs: BATCH_WAIT_MS },
  concurrency: 8,
  request: (alert, config) => toRequest(config, toLog(alert, config.service)),
  requestBatch: (alerts, config) =>
    toRequest(
      config,
      alerts.map(alert => toLog(alert, config.service)),
    ),
  example: { apikey: 'api-key' },
});
