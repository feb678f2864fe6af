/** Requests that put objects into buckets of S3 and of stores that speak its protocol. Pure but for packing. */
import { createHash } from 'node:crypto';
import type { Alert } from '../../../core/contract.ts';
import { PACKED_TYPE, packLines } from '../object-batch.ts';
import { alertObjectName, batchObjectName, uuidDigits } from '../object-name.ts';
import type { AwsRequest } from './define.ts';
import { encodeRfc3986 } from './sign.ts';

/** Where an object goes. */
export interface Bucket {
  /** Address of the service. */
  endpoint: string;
  bucket: string;
  /** The bucket stands in the path, not in the name of the host. */
  inPath: boolean;
  /** Who may read the objects, one of the ACLs of S3; absent for the bucket's own rule. */
  acl?: string;
}

/** What names of objects are made of. */
interface Naming {
  prefix: string;
  layout: string;
}

/** Puts an alert as it is. No two alerts get the same key: S3 would keep only the later one. */
export function putAlert(place: Bucket, { prefix }: Naming, alert: Alert, now: number): AwsRequest {
  const key = alertObjectName(prefix, now, uuidDigits(alert.uuid));
  return putObject(place, key, 'application/json', alert.bytes);
}

/** Puts several as lines of JSON, compressed. */
export async function putBatch(
  place: Bucket,
  { prefix, layout }: Naming,
  alerts: readonly Alert[],
  now: number,
): Promise<AwsRequest> {
  const key = batchObjectName(prefix, layout, alerts, now);
  return putObject(place, key, PACKED_TYPE, await packLines(alerts));
}

/** Puts an object under its key. */
export function putObject(
  { endpoint, bucket, inPath, acl }: Bucket,
  key: string,
  contentType: string,
  body: Buffer,
): AwsRequest {
  const path = key.split('/').map(encodeRfc3986).join('/');
  const url = new URL(endpoint);
  const base = url.pathname.replace(/\/+$/, '');
  const host = inPath ? url.host : `${bucket}.${url.host}`;
  const folder = inPath ? `/${encodeRfc3986(bucket)}` : '';
  // Buckets with Object Lock want a checksum.
  const md5 = createHash('md5').update(body).digest('base64');
  return {
    method: 'PUT',
    url: `${url.protocol}//${host}${base}${folder}/${path}`,
    headers: { 'content-md5': md5, 'content-type': contentType, ...(acl && { 'x-amz-acl': acl }) },
    body,
  };
}

/** Whether a bucket cannot stand in front of the host: an address without names, or a name that certificates do not fit. */
export function needsPath(endpoint: string, bucket: string): boolean {
  const { hostname, protocol } = new URL(endpoint);
  const isAddress = /^[\d.]+$|^\[/.test(hostname) || hostname === 'localhost';
  const isName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket);
  return isAddress || !isName || (protocol === 'https:' && bucket.includes('.'));
}
