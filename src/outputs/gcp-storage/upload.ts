/** Uploads to Cloud Storage. Pure. */
import { createHash } from 'node:crypto';
import type { HttpRequest } from '../../core/contract.ts';
import { joinUrl } from '../_kit/url.ts';

/** An object to be made. */
export interface NewObject {
  bucket: string;
  name: string;
  contentType: string;
  bytes: Buffer;
}

/**
 * An upload of metadata and content in one request (cloud.google.com/storage/docs/json_api/v1/objects/insert). It makes
 * a new object and never touches one that is there, for which a right to create is enough; the answer is then 412.
 */
export function toUpload(endpoint: string, { bucket, name, contentType, bytes }: NewObject): HttpRequest {
  const query = new URLSearchParams({ uploadType: 'multipart', name, ifGenerationMatch: '0' });
  // Nothing can hold its own digest.
  const boundary = createHash('sha256').update(bytes).digest('hex').slice(0, 40);
  const head =
    `--${boundary}\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ bucket, name })}\r\n` +
    `--${boundary}\r\ncontent-type: ${contentType}\r\n\r\n`;
  return {
    method: 'POST',
    url: joinUrl(endpoint, `/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`),
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}

/** Asks for a bucket's name. */
export function toBucketQuery(endpoint: string, bucket: string): HttpRequest {
  const address = joinUrl(endpoint, `/storage/v1/b/${encodeURIComponent(bucket)}?fields=name`);
  return { method: 'GET', url: address, headers: {}, body: undefined };
}
