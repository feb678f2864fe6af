import { outputField } from '../core/alert.ts';
import type { Alert } from '../core/contract.ts';
import { isJsonObject, toText } from '../core/json.ts';
import { list, oneOf, secret, text, url } from '../core/keys.ts';
import { basicAuth } from './_kit/auth.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { legalNames } from './_kit/names.ts';
import { truncateBytes } from './_kit/text.ts';
import { toNanos } from './_kit/times.ts';
import { joinUrl } from './_kit/url.ts';

// Loki refuses what is longer: grafana.com/docs/loki/latest/configure/#limits_config (max_label_value_length,
// max_line_size of 256KB).
const MAX_LABEL_VALUE = 2048;
const MAX_LINE = 256_000;

/** Output fields that are always labels. */
const KUBERNETES = ['k8s.ns.name', 'k8s.pod.name'];
const BUILT_IN = ['rule', 'source', 'priority', 'hostname', 'tags', 'k8s_ns_name', 'k8s_pod_name'];

interface LokiConfig {
  hostport: string;
  endpoint: string;
  user: string;
  apikey: string;
  tenant: string;
  format: 'text' | 'json';
  extralabels: string[];
  extralabelslist: string[];
}

/** falcosidekick's way to a label name, and `_` for what else no label may hold: `proc.aname[2]` → `proc_aname2`. */
export function toLokiLabel(field: string): string {
  const name = field.replace(/[[\]]/g, '').replace(/[^a-zA-Z0-9_]/g, '_');
  return /^[a-zA-Z_]/.test(name) ? name : `_${name}`;
}

/** Field → label. Made of the settings alone, so that a field has the same label in every alert. */
function labelNames(config: LokiConfig, customFields: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Set([...customFields, ...config.extralabels, ...config.extralabelslist]);
  for (const field of KUBERNETES) fields.delete(field);
  const names = legalNames([...fields], toLokiLabel, BUILT_IN);
  for (const field of KUBERNETES) names.set(field, toLokiLabel(field));
  return names;
}

/** The labels of an alert's stream. Those without a value are left out, as Loki itself would. */
function toLabels(alert: Alert, names: ReadonlyMap<string, string>): Record<string, string> {
  const labels: Record<string, string> = {};
  const add = (name: string, value: string) => {
    if (value !== '') labels[name] = truncateBytes(value, MAX_LABEL_VALUE);
  };
  add('rule', alert.rule);
  add('source', alert.source);
  add('priority', alert.priority);
  for (const [field, name] of names) {
    const value = outputField(alert, field);
    const plain = Array.isArray(value) || isJsonObject(value) ? '' : toText(value);
    // Quotes are left out as in falcosidekick; the line has them.
    add(name, plain.replaceAll('"', ''));
  }
  add('hostname', alert.hostname);
  add('tags', alert.tags.join(','));
  return labels;
}

/** A push: grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs. Alerts with the same labels share a stream. */
function toPush(
  alerts: readonly Alert[],
  config: LokiConfig,
  { customFields }: { customFields(): readonly string[] },
): HttpMessage {
  const names = labelNames(config, customFields());
  const streams = new Map<string, { stream: Record<string, string>; values: [string, string][] }>();
  for (const alert of alerts) {
    const stream = toLabels(alert, names);
    const key = JSON.stringify(stream);
    const entry = streams.get(key) ?? { stream, values: [] };
    streams.set(key, entry);
    const line = config.format === 'json' ? alert.json : alert.output;
    entry.values.push([String(toNanos(alert)), truncateBytes(line, MAX_LINE)]);
  }
  return {
    url: joinUrl(config.hostport, `/${config.endpoint.replace(/^\/+/, '')}`),
    headers: {
      'content-type': 'application/json',
      ...(config.tenant !== '' && { 'x-scope-orgid': config.tenant }),
      ...basicAuth(config.user, config.apikey),
    },
    json: { streams: [...streams.values()] },
  };
}

export default defineHttpOutput({
  name: 'loki',
  title: 'Grafana Loki',
  category: 'logs',
  docs: 'Pushes alerts to Loki or Grafana Cloud, see https://grafana.com/docs/loki/latest/reference/loki-http-api.',
  keys: {
    hostport: url('Address of Loki; setting it turns the output on.'),
    endpoint: text('Path of the push API.', '/loki/api/v1/push'),
    user: text('User name, for basic authentication (Grafana Cloud: the number of the instance).'),
    apikey: secret('Password or API key, for basic authentication.'),
    tenant: text('Tenant, sent as `X-Scope-OrgID`.'),
    format: oneOf(
      'What a line holds: the text of the alert, or all of it as JSON.',
      ['text', 'json'],
      'text',
      {
        otherwise: 'text',
      },
    ),
    extralabels: list('Output fields that become labels.'),
    extralabelslist: list('More output fields that become labels.'),
  },
  enabledBy: 'hostport',
  // The size that Promtail and Alloy send at most.
  batch: { items: 1000, bytes: 1024 * 1024, waitMs: 200 },
  concurrency: 8,
  request: (alert, config, context) => toPush([alert], config, context),
  requestBatch: toPush,
  example: { hostport: 'http://loki.example:3100' },
});
