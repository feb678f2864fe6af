import { gzipSync } from 'node:zlib';
import type { Alert } from '../core/contract.ts';
import { integer, oneOf, secret, text } from '../core/keys.ts';
import { textFields } from './_kit/fields.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { legalNames } from './_kit/names.ts';
import { truncate } from './_kit/text.ts';
import { toNanos } from './_kit/times.ts';

// docs.wavefront.com/wavefront_data_format.html: points with a tag (name and value together) or more tags than this
// are refused.
const MAX_TAG = 254;
const MAX_NAME = 64;
const MAX_TAGS = 20;

interface WavefrontConfig {
  endpointtype: '' | 'direct' | 'proxy';
  endpointhost: string;
  endpointtoken: string;
  endpointmetricport: number;
  metricname: string;
}

/** Characters that names of metrics and tags do not have become `-`, as the SDKs do it. */
const toName = (name: string) => name.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, MAX_NAME) || 'field';

/** Quotes are escaped, a line break is written as backslash and n; a backslash at the end would escape the quote. */
const toValue = (value: string) =>
  `"${value
    .replace(/"/g, '\\"')
    .replace(/\r?\n|\r/g, '\\n')
    .replace(/\\$/, '\\ ')}"`;

/** The alert as a point: metric, value, time in nanoseconds, source, tags. */
export function toPoint(alert: Alert, metric: string): string {
  const own: [string, string][] = [
    ['severity', alert.priority],
    ['rule', alert.rule],
    ['source', alert.source],
    ['hostname', alert.hostname],
    ['tags', alert.tags.join(', ')],
  ];
  const fields = textFields(alert);
  const taken = own.map(([name]) => name);
  const names = legalNames(
    fields.map(([name]) => name),
    toName,
    taken,
  );
  const tags = [...own, ...fields.map(([name, value]): [string, string] => [names.get(name)!, value.trim()])]
    // A tag without a value is refused.
    .filter(([, value]) => value !== '')
    .slice(0, MAX_TAGS)
    .map(([name, value]) => ` "${name}"=${toValue(truncate(value, MAX_TAG - name.length))}`);
  return `"${toName(metric)}" 1 ${toNanos(alert)} source="falco-exporter"${tags.join('')}\n`;
}

/** The address with a scheme; falcosidekick's files have none for direct sending, and may have none for a proxy here. */
function toOrigin({ endpointtype, endpointhost, endpointmetricport }: WavefrontConfig): string {
  const [scheme, port] = endpointtype === 'proxy' ? ['http', `:${endpointmetricport}`] : ['https', ''];
  const host = endpointhost.replace(/\/$/, '');
  return (host.includes('://') ? host : `${scheme}://${host}`) + port;
}

function toRequest(alerts: readonly Alert[], config: WavefrontConfig) {
  const direct = config.endpointtype === 'direct' && config.endpointtoken !== '';
  return {
    url: `${toOrigin(config)}/report?f=wavefront`,
    headers: {
      'content-type': 'application/octet-stream',
      'content-encoding': 'gzip',
      ...(direct && { authorization: `Bearer ${config.endpointtoken}` }),
    },
    body: gzipSync(alerts.map(alert => toPoint(alert, config.metricname)).join('')),
  };
}

export default defineHttpOutput({
  name: 'wavefront',
  title: 'Wavefront',
  category: 'metrics',
  docs: 'Sends each alert as a point with tags, through a proxy or directly, see https://docs.wavefront.com/wavefront_data_format.html.',
  keys: {
    endpointtype: oneOf(
      'Whether points go to a Wavefront proxy or to the service itself; setting it and `endpointhost` turns the output on.',
      ['', 'proxy', 'direct'],
      '',
    ),
    endpointhost: text('Address of the proxy, `http://wavefront-proxy`, or host of the service.'),
    endpointtoken: secret('API token, for `direct`.'),
    endpointmetricport: integer('Port of the proxy.', 2878, { min: 1, max: 65_535 }),
    metricname: text('Name of the metric.', 'falco.alert'),
    flushintervalseconds: integer('Accepted for the sake of old files: points are sent at once.', 0),
    batchsize: integer('Most points in one request.', 10_000, { min: 1 }),
  },
  enabledBy: ['endpointtype', 'endpointhost'],
  address: toOrigin,
  check: config =>
    config.endpointhost === '' || URL.canParse(toOrigin(config))
      ? []
      : [{ path: 'endpointhost', message: 'expected a host, or a URL with http:// or https://' }],
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  // falcosidekick sends each point at once as well; only a backlog makes large requests.
  batchBy: ({ batchsize }) =>
    batchsize > 1 ? { items: batchsize, bytes: 1024 * 1024, waitMs: 0 } : undefined,
  example: { endpointtype: 'proxy', endpointhost: 'http://wavefront-proxy.example' },
});
