/** Objects in a bucket: one for each alert, or one for a batch. Pure. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Alert } from '../../../core/contract.ts';
import type { AwsRequest } from './define.ts';
import { encodeRfc3986 } from './sign.ts';

/** How objects of one batch look together. */
export const OBJECT_LIMITS = { items: 10_000, bytes: 16 * 1024 * 1024 };

/** Where an object goes. */
export interface Bucket {
  /** Address of the service. */
  endpoint: string;
  bucket: string;
  /** The bucket stands in the path, not in the name of the host. */
  inPath: boolean;
}

/**
 * falcosidekick's key, `falco/2026-01-31/2026-01-31T12:00:00.123456789Z.json`, with the time of sending. The digits behind
 * the milliseconds are made of the uuid, so that no two alerts get the same key.
 */
export function alertKey(prefix: string, alert: Alert, now: number): string {
  const time = new Date(now).toISOString();
  const digits = BigInt(`0x${alert.uuid.replaceAll('-', '').slice(-12)}`)
    .toString()
    .padStart(15, '0');
  return join(prefix, time.slice(0, 10), `${time.slice(0, -1)}${digits}Z.json`);
}

/** The key of a batch, in the form that Hive, Athena and Spark take for partitions. */
export function batchKey(prefix: string, alerts: readonly Alert[], now: number): string {
  const time = new Date(now).toISOString();
  const [year, month, day] = time.slice(0, 10).split('-');
  const hour = time.slice(11, 13);
  const id = createHash('sha256');
  for (const { uuid } of alerts) id.update(uuid);
  const name = `${time}-${id.digest('hex').slice(0, 16)}.ndjson.gz`;
  return join(prefix, `year=${year}`, `month=${month}`, `day=${day}`, `hour=${hour}`, name);
}

/** Puts an alert as it is. */
export function putAlert(place: Bucket, prefix: string, alert: Alert, now: number): AwsRequest {
  return put(place, alertKey(prefix, alert, now), { 'content-type': 'application/json' }, alert.bytes);
}

/** Puts several as lines of JSON, compressed. */
export function putBatch(place: Bucket, prefix: string, alerts: readonly Alert[], now: number): AwsRequest {
  const lines = alerts.map(({ json }) => `${json}\n`).join('');
  const headers = { 'content-type': 'application/gzip' };
  return put(place, batchKey(prefix, alerts, now), headers, gzipSync(lines));
}

function put(place: Bucket, key: string, headers: Record<string, string>, body: Buffer): AwsRequest {
  const path = key.split('/').map(encodeRfc3986).join('/');
  const url = new URL(place.endpoint);
  const base = url.pathname.replace(/\/+$/, '');
  const { bucket } = place;
  const host = place.inPath ? url.host : `${bucket}.${url.host}`;
  const inPath = place.inPath ? `/${encodeRfc3986(bucket)}` : '';
  // Buckets with Object Lock want a checksum.
  const md5 = createHash('md5').update(body).digest('base64');
  return {
    method: 'PUT',
    url: `${url.protocol}//${host}${base}${inPath}/${path}`,
    headers: { 'content-md5': md5, ...headers },
    body,
  };
}

function join(...parts: string[]): string {
  return parts
    .map(part => part.replace(/^\/+|\/+$/g, ''))
    .filter(Boolean)
    .join('/');
}

/** Whether a bucket cannot stand in front of the host: an address without names, or a name that certificates do not fit. */
export function needsPath(endpoint: string, bucket: string): boolean {
  const { hostname, protocol } = new URL(endpoint);
  const isAddress = /^[\d.]+$|^\[/.test(hostname) || hostname === 'localhost';
  const isName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket);
  return isAddress || !isName || (protocol === 'https:' && bucket.includes('.'));
}
