import type { Alert, Host } from '../../core/contract.ts';
import { basicAuth } from '../_kit/auth.ts';
import type { HttpMessage } from '../_kit/http.ts';
import { truncateBytes } from '../_kit/text.ts';
import { toNanos } from '../_kit/times.ts';
import { joinUrl } from '../_kit/url.ts';
import { type LokiConfig, labelNames, toLabels } from './labels.ts';

/** Longer lines are refused: grafana.com/docs/loki/latest/configure/#limits_config, `max_line_size` of 256KB. */
const MAX_LINE = 256_000;

/** A push: grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs. Alerts with the same labels share a stream. */
export function toPush(
  alerts: readonly Alert[],
  config: LokiConfig,
  { customFields, templatedFields }: Pick<Host, 'customFields' | 'templatedFields'>,
): HttpMessage {
  const names = labelNames(config, [...customFields(), ...templatedFields()]);
  const streams = new Map<string, { stream: Record<string, string>; values: [string, string][] }>();
  for (const alert of alerts) {
    const stream = toLabels(alert, names);
    const key = JSON.stringify(stream);
    const entry = streams.get(key) ?? { stream, values: [] };
    streams.set(key, entry);
    const line = alert.templated || config.format === 'json' ? alert.json : alert.output;
    entry.values.push([String(toNanos(alert)), truncateBytes(line, MAX_LINE)]);
  }
  return {
    url: joinUrl(config.hostport, config.endpoint),
    headers: {
      'content-type': 'application/json',
      ...(config.tenant !== '' && { 'x-scope-orgid': config.tenant }),
      ...basicAuth(config.user, config.apikey),
    },
    json: { streams: [...streams.values()] },
  };
}
