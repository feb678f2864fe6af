/**
 * AWS Signature Version 4 in the Authorization header, docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html.
 * Pure.
 */
import { createHash, createHmac } from 'node:crypto';
import type { HttpRequest } from '../../../core/contract.ts';

/** Keys that requests are signed with. */
export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  /** For keys that live a short time. */
  sessionToken?: string;
}

/** Where a signature holds. */
export interface SigningScope {
  region: string;
  /** The name that the service signs with: `sqs`, `logs`, `s3`. */
  service: string;
}

/** The request with its signature. `now` is in milliseconds since the epoch. Header names are lower case. */
export function signRequest(
  request: HttpRequest,
  keys: AwsKeys,
  { region, service }: SigningScope,
  now: number,
): HttpRequest {
  const { host, pathname, searchParams } = new URL(request.url);
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = stamp.slice(0, 8);
  const payload = sha256(request.body ?? '');
  const { authorization: _, ...given } = request.headers;
  const headers: Record<string, string> = {
    ...given,
    ...(service === 's3' && { 'x-amz-content-sha256': payload }),
    'x-amz-date': stamp,
    ...(keys.sessionToken && { 'x-amz-security-token': keys.sessionToken }),
  };
  const signed = Object.entries({ host, ...headers })
    .filter(([name]) => name === 'host' || name === 'content-type' || name.startsWith('x-amz-'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    // All services but S3 encode the path a second time.
    service === 's3' ? pathname : pathname.split('/').map(encodeRfc3986).join('/'),
    canonicalQuery(searchParams),
    ...signed.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    payload,
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${sha256(canonical)}`;
  const key = [day, region, service, 'aws4_request'].reduce<Buffer | string>(
    hmac,
    `AWS4${keys.secretAccessKey}`,
  );
  const signature = hmac(key, text).toString('hex');
  const credential = `${keys.accessKeyId}/${scope}`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...request, headers };
}

/** Percent-encodes all but the unreserved characters of RFC 3986, as signatures want it. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .sort()
    .join('&');
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
