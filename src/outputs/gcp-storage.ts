import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { type Alert, defineOutput, type HttpRequest } from '../core/contract.ts';
import { text, url } from '../core/keys.ts';
import { batchKey } from './_kit/aws/objects.ts';
import { batchingKey, batchingLimits } from './_kit/batching.ts';
import { openGoogle } from './_kit/google/client.ts';
import { GOOGLE_KEYS } from './_kit/google/credentials.ts';
import { judge } from './_kit/http.ts';
import { toLines } from './_kit/ndjson.ts';
import { alertObjectName, shareOf } from './_kit/object-name.ts';
import { joinUrl } from './_kit/url.ts';

const DEFAULT_ENDPOINT = 'https://storage.googleapis.com';
/** All of a batch is held in memory, packed and unpacked. */
const MOST = { items: 50_000, bytes: 32 * 1024 * 1024 };
/** Names tried until one is free. */
const MAX_NAMES = 3;

const keys = z.object({
  bucket: text('Bucket; setting it turns the output on.'),
  prefix: text('Folder in the bucket; empty for none.'),
  endpoint: url(
    'Address of the service where it is not that of Google, for example of an emulator. Over plain HTTP, no credentials are sent.',
  ),
  batching: batchingKey(),
  ...GOOGLE_KEYS,
});

/** What an object consists of. */
interface Content {
  type: string;
  /** `gzip`; absent for plain content. */
  encoding?: string;
  bytes: Buffer;
}

/**
 * An upload of metadata and content in one request (cloud.google.com/storage/docs/json_api/v1/objects/insert). It makes
 * a new object and never touches one that is there, for which a right to create is enough.
 */
function toUpload(endpoint: string, bucket: string, name: string, content: Content): HttpRequest {
  const query = new URLSearchParams({ uploadType: 'multipart', name, ifGenerationMatch: '0' });
  const metadata = JSON.stringify({
    bucket,
    name,
    ...(content.encoding && { contentEncoding: content.encoding }),
  });
  // Nothing can hold its own digest.
  const boundary = createHash('sha256').update(content.bytes).digest('hex').slice(0, 40);
  const head =
    `--${boundary}\r\ncontent-type: application/json\r\n\r\n${metadata}\r\n` +
    `--${boundary}\r\ncontent-type: ${content.type}\r\n\r\n`;
  return {
    method: 'POST',
    url: joinUrl(endpoint, `/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`),
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), content.bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}

async function toContent(alerts: readonly Alert[], batched: boolean): Promise<Content> {
  // The type that falcosidekick's library gives a single alert.
  if (!batched) return { type: 'text/plain; charset=utf-8', bytes: alerts[0]!.bytes };
  const bytes = await promisify(gzip)(toLines(alerts));
  return { type: 'application/x-ndjson', encoding: 'gzip', bytes };
}

/** The client libraries of Google take an address without a scheme as well. */
function emulator(): string {
  const found = process.env.STORAGE_EMULATOR_HOST ?? '';
  return found === '' || found.includes('://') ? found : `http://${found}`;
}

export default defineOutput({
  name: 'gcp.storage',
  title: 'Google Cloud Storage',
  category: 'storage',
  docs: 'Stores each alert as a JSON object, or many as one compressed object of JSON lines with `batching`, see https://cloud.google.com/storage/docs.',
  http: true,
  keys,
  inherits: Object.keys(GOOGLE_KEYS),
  enabled: config => config.bucket !== '',
  batchBy: config => batchingLimits(config.batching, MOST),
  open: async (config, host) => {
    const { bucket, prefix } = config;
    const endpoint = config.endpoint || emulator() || DEFAULT_ENDPOINT;
    const http = openGoogle(endpoint, config, host);
    const batched = config.batching.enabled;
    return {
      async send(alerts, { signal }) {
        const content = await toContent(alerts, batched);
        let share = shareOf(alerts[0]!.uuid);
        for (let names = 1; ; names++) {
          const now = host.clock.now();
          const name = batched ? batchKey(prefix, alerts, now) : alertObjectName(prefix, now, share);
          const response = await http.send(toUpload(endpoint, bucket, name, content), signal);
          // 412: there is an object of that name.
          if (response.status !== 412 || names === MAX_NAMES) return judge(response, now);
          share = host.clock.random();
        }
      },
      /** Any answer but a refusal of who asks will do: an account that may only create sees nothing of a bucket. */
      async probe(signal) {
        const address = joinUrl(endpoint, `/storage/v1/b/${encodeURIComponent(bucket)}?fields=name`);
        const request = { method: 'GET' as const, url: address, headers: {}, body: undefined };
        const response = await http.send(request, signal);
        if (response.status === 401 || response.status === 404) judge(response, host.clock.now());
      },
    };
  },
  example: { bucket: 'falco-alerts' },
});
