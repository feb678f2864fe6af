import type { Alert } from '../core/contract.ts';
import { flag, oneOf, secret, text, url } from '../core/keys.ts';
import { textFields } from './_kit/fields.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { legalNames } from './_kit/names.ts';
import { truncateBytes } from './_kit/text.ts';
import { toNanos } from './_kit/times.ts';
import { joinUrl } from './_kit/url.ts';

/** Longer strings are refused: docs.influxdata.com/influxdb/v2/reference/faq, "maximum string field size". */
const MAX_FIELD_BYTES = 64_000;
/** Measurement, tags and their names together: docs.influxdata.com/influxdb/v1/troubleshooting/errors, "max key size". */
const MAX_KEY_BYTES = 65_535;
const MAX_TAG_BYTES = 2_048;

/** Nanoseconds in one unit of each precision; `u` and `n` are InfluxDB 1's names. */
const UNITS = {
  ns: 1n,
  n: 1n,
  us: 1_000n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
} as const;

interface InfluxConfig {
  hostport: string;
  database: string;
  organization: string;
  bucket: string;
  precision: keyof typeof UNITS;
  user: string;
  password: string;
  token: string;
  timestamp: boolean;
}

const toOneLine = (text: string) => truncateBytes(text, MAX_TAG_BYTES).replace(/[\r\n]+/g, '_');

/**
 * A name or value of a tag: docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol, "Special characters". A line
 * break cannot be written. Nor can a backslash at the end, or an odd number before a character that is escaped: readers
 * differ in what belongs together there; one more, and at the end a blank, suits them all.
 */
function toTag(text: string): string {
  const line = toOneLine(text);
  return (line.endsWith('\\') ? `${line} ` : line).replace(
    /(\\*)([,= ])/g,
    (_, before: string, char: string) => `${before}${before.length % 2 === 1 ? '\\' : ''}\\${char}`,
  );
}

/** falcosidekick's way with blanks. */
const toTagValue = (value: string) => toTag(value.replaceAll(' ', '_'));

const toStringField = (value: string) =>
  `"${truncateBytes(value, MAX_FIELD_BYTES).replace(/["\\]/g, '\\$&')}"`;

/** The alert in line protocol, `events,rule=...,priority=... value="..."`; the time only where it is asked for. */
export function toLine(alert: Alert, time?: bigint): string {
  const fields = textFields(alert);
  const names = legalNames(
    fields.map(([name]) => name),
    name => toOneLine(name) || 'field',
    ['rule', 'priority', 'source', 'hostname', 'tags', 'time', 'value'],
  );
  const tags: [string, string][] = [
    ['rule', alert.rule],
    ['priority', alert.priority],
    ['source', alert.source],
    ['hostname', alert.hostname],
    ['tags', alert.tags.join('_')],
    ...fields.map(([name, value]): [string, string] => [names.get(name)!, value]),
  ];
  let key = 'events';
  let room = MAX_KEY_BYTES - key.length;
  for (const [name, value] of tags) {
    // A tag without a value makes a broken line.
    if (value === '') continue;
    const tag = `,${toTag(name)}=${toTagValue(value)}`;
    room -= Buffer.byteLength(tag);
    if (room < 0) break;
    key += tag;
  }
  return `${key} value=${toStringField(alert.output)}${time === undefined ? '' : ` ${time}`}`;
}

/** One request for all of them. */
export function toRequest(alerts: readonly Alert[], config: InfluxConfig): HttpMessage {
  // Points of one request without a time get the same one, and the last of those with the same tags would remain.
  const timed = config.timestamp || alerts.length > 1;
  const unit = UNITS[config.precision];
  const query = new URLSearchParams(
    config.organization !== '' && config.bucket !== ''
      ? { org: config.organization, bucket: config.bucket }
      : { db: config.database },
  );
  if (config.token === '' && config.user !== '' && config.password !== '') {
    query.set('u', config.user);
    query.set('p', config.password);
  }
  query.set('precision', config.precision);
  return {
    url: joinUrl(config.hostport, `${query.has('org') ? '/api/v2/write' : '/write'}?${query}`),
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      accept: 'application/json',
      ...(config.token !== '' && { authorization: `Token ${config.token}` }),
    },
    body: alerts.map(alert => toLine(alert, timed ? toNanos(alert) / unit : undefined)).join('\n'),
  };
}

export default defineHttpOutput({
  name: 'influxdb',
  title: 'InfluxDB',
  category: 'metrics',
  docs: 'Writes each alert as a point of the measurement `events`, see https://docs.influxdata.com/influxdb/v2/write-data.',
  keys: {
    hostport: url('Address of InfluxDB; setting it turns the output on.'),
    database: text('Database, for InfluxDB 1.', 'falco'),
    organization: text('Organization, for InfluxDB 2; setting it and `bucket` selects its API.'),
    bucket: text('Bucket, for InfluxDB 2.', 'falco'),
    precision: oneOf('Unit of the times.', ['ns', 'n', 'us', 'u', 'ms', 's', 'm', 'h'], 'ns'),
    user: text('User name, for InfluxDB 1.'),
    password: secret('Password, for InfluxDB 1.'),
    token: secret('Token; it goes before user and password.'),
    timestamp: flag(
      'Whether every point has the time of its alert. Otherwise only points that are written together have, and others the time at which they arrive.',
    ),
  },
  enabledBy: 'hostport',
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  // Up to 5,000 lines at once is what InfluxDB recommends; a small load is written as it comes.
  batch: { items: 5_000, bytes: 4 * 1024 * 1024, waitMs: 0 },
  example: { hostport: 'http://influxdb.example:8086' },
});
