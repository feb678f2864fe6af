/** Objects in Google Cloud Storage. */
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test, vi } from 'vitest';
import type { Host, HttpRequest, HttpResponse } from '../../../src/core/contract.ts';
import { PermanentError } from '../../../src/core/errors.ts';
import storage from '../../../src/outputs/gcp-storage/index.ts';
import { alertOf } from '../../support/alerts.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { recordingLogger } from '../../support/logger.ts';

afterEach(() => void vi.unstubAllEnvs());

const NOW = Date.parse('2026-01-31T12:00:00.123Z');
const EMULATOR = 'http://127.0.0.1:4443';
const alert = (at: number) =>
  alertOf(
    JSON.stringify({
      uuid: `0b6f3f0e-6c5b-4d43-9a55-2f1f${String(at).repeat(8)}`,
      rule: 'R',
      priority: 'Notice',
      time: '2026-01-31T11:00:00Z',
      output: '日本語 🚀',
    }),
  );

/** Opens the output; `statuses` are those of the next answers. */
async function open(config: object, statuses: number[] = []) {
  const requests: HttpRequest[] = [];
  let chance = 0;
  const http = {
    send: async (request: HttpRequest): Promise<HttpResponse> => {
      requests.push(request);
      return { status: statuses.shift() ?? 200, headers: {}, body: '{}' };
    },
  };
  const host: Host = {
    id: 'gcpstorage',
    http,
    connect: () => http,
    outputs: () => [],
    customFields: () => [],
    templatedFields: () => [],
    tls: { verify: true },
    clock: { now: () => NOW, monotonic: () => performance.now(), random: () => (chance += 0.1) },
    log: recordingLogger(),
    templateFailed() {},
  };
  const parsed = storage.keys.parse({ bucket: 'b', ...config });
  const output = await storage.open(parsed, host);
  const send = (...which: number[]) => output.send(which.map(alert), { signal: patience(), attempt: 1 });
  return { send, requests, parsed };
}

/** The two parts of an upload. */
function partsOf({ headers, body }: HttpRequest) {
  const boundary = /boundary=(\w+)$/.exec(headers['content-type']!)![1]!;
  const parts = (body as Buffer).toString('latin1').split(`--${boundary}`);
  expect(parts).toHaveLength(4);
  const [, metadata = '', content = ''] = parts.map(part => part.replace(/\r\n$/, '').replace(/^\r\n/, ''));
  const split = (part: string) => [
    part.slice(0, part.indexOf('\r\n\r\n')),
    part.slice(part.indexOf('\r\n\r\n') + 4),
  ];
  return {
    metadata: JSON.parse(Buffer.from(split(metadata)[1]!, 'latin1').toString()),
    type: split(content)[0],
    content: Buffer.from(split(content)[1]!, 'latin1'),
  };
}

test('an alert is an object of its own, named by day and time', async () => {
  const { send, requests } = await open({ endpoint: EMULATOR, prefix: '/falco/' });
  await send(1);
  const url = new URL(requests[0]!.url);
  expect(url.pathname).toBe('/upload/storage/v1/b/b/o');
  const name = url.searchParams.get('name')!;
  expect(name).toMatch(/^falco\/2026-01-31\/2026-01-31T12:00:00\.123\d{6}Z\.json$/);
  expect(partsOf(requests[0]!)).toEqual({
    metadata: { bucket: 'b', name },
    type: 'content-type: text/plain; charset=utf-8',
    content: alert(1).bytes,
  });
});

test('a name without a prefix begins with the day', async () => {
  const { send, requests } = await open({ endpoint: EMULATOR });
  await send(1);
  expect(new URL(requests[0]!.url).searchParams.get('name')).toMatch(/^2026-01-31\//);
});

test('alerts of one millisecond have different names', async () => {
  const { send, requests } = await open({ endpoint: EMULATOR });
  for (const at of [1, 2, 3]) await send(at);
  expect(new Set(requests.map(({ url }) => new URL(url).searchParams.get('name'))).size).toBe(3);
});

test('an object that is there is never overwritten: another name is tried', async () => {
  const { send, requests } = await open({ endpoint: EMULATOR }, [412]);
  await send(1);
  const queries = requests.map(({ url }) => new URL(url).searchParams);
  expect(queries.map(query => query.get('ifGenerationMatch'))).toEqual(['0', '0']);
  expect(queries[0]!.get('name')).not.toBe(queries[1]!.get('name'));
  const taken = await open({ endpoint: EMULATOR }, Array(9).fill(412));
  expect(await failureOf(taken.send(1))).toBeInstanceOf(PermanentError);
});

test('a batch is one compressed object in a partition', async () => {
  const config = { endpoint: EMULATOR, prefix: 'falco', batching: { enabled: true } };
  const { send, requests, parsed } = await open(config);
  expect(storage.batchBy!(parsed)).toMatchObject({ bytes: 16 * 1024 * 1024, waitMs: 60_000 });
  await send(1, 2);
  const name = new URL(requests[0]!.url).searchParams.get('name');
  expect(name).toMatch(/^falco\/dt=2026-01-31\/hour=12\/[0-9a-f-]{36}\.ndjson\.gz$/);
  const { metadata, type, content } = partsOf(requests[0]!);
  expect(metadata).toEqual({ bucket: 'b', name });
  expect(type).toBe('content-type: application/gzip');
  expect(gunzipSync(content).toString()).toBe(`${alert(1).json}\n${alert(2).json}\n`);
});

test('a batch whose object is there has been stored by a try before', async () => {
  const { send, requests } = await open({ endpoint: EMULATOR, batching: { enabled: true } }, [412]);
  await send(1, 2);
  expect(requests).toHaveLength(1);
});

test('one alert is one request unless batching is on', async () => {
  const { parsed } = await open({ endpoint: EMULATOR });
  expect(storage.batchBy!(parsed)).toBeUndefined();
});

test.each([
  ['127.0.0.1:4443', 'http://127.0.0.1:4443/'],
  ['http://gcs:4443', 'http://gcs:4443/'],
])('an emulator at %s gets everything, and no credentials', async (address, origin) => {
  vi.stubEnv('STORAGE_EMULATOR_HOST', address);
  const { send, requests } = await open({});
  await send(1);
  expect(requests).toHaveLength(1);
  expect(new URL('/', requests[0]!.url).href).toBe(origin);
  expect(requests[0]!.headers).not.toHaveProperty('authorization');
});
