/** Azure Event Hubs against a double of its REST API, and of a managed identity. */
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import eventhub from '../../../src/outputs/azure-eventhub/index.ts';
import { parseConnection } from '../../../src/outputs/azure-eventhub/sas.ts';
import { type Certs, makeCerts } from '../../support/certs.ts';
import { EventHub } from '../../support/event-hub.ts';
import { clientOf, closeClients } from '../../support/http-client.ts';
import { answer, HttpSink } from '../../support/http-sink.ts';
import { falcoAlert, falcoAlerts } from '../../support/services/alerts.ts';
import { failureOf, hostOf, openOutput, trySend } from '../../support/services/drive.ts';
import { scratch } from '../../support/services/process.ts';

const KEY = 'c2VjcmV0LWtleQ==';
const HOST = 'ns.servicebus.windows.net';
const connectionOf = (key = KEY) => `Endpoint=sb://${HOST}/;SharedAccessKeyName=send;SharedAccessKey=${key}`;

let folder: Awaited<ReturnType<typeof scratch>>;
let certs: Certs;
let hub: EventHub;
let now: number;
const cleanup: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = await scratch('eventhub');
  certs = await makeCerts(folder.path);
});
afterAll(() => folder.remove());
beforeEach(async () => {
  now = Date.parse('2026-01-31T12:00:00Z');
  const [cert, key] = await Promise.all([readFile(certs.serverCert), readFile(certs.serverKey)]);
  const policy = { host: HOST, name: 'send', key: KEY };
  hub = await EventHub.listen({
    tls: { cert, key },
    hub: 'falco',
    policy,
    tokens: ['token-1', 'token-2'],
    now: () => now,
  });
  cleanup.push(() => hub.sink.close());
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await closeClients();
  for (const clean of cleanup.splice(0)) await clean();
});

function open(config: Record<string, unknown>) {
  const http = clientOf({ caFiles: [certs.ca] });
  const host = {
    ...hostOf(),
    http,
    clock: { now: () => now, monotonic: () => performance.now(), random: () => 0.5 },
  };
  return openOutput(eventhub, { name: 'falco', endpoint: hub.sink.origin, ...config }, host);
}

describe('with a connection string', () => {
  test('a batch is one request of as many events', async () => {
    const alerts = falcoAlerts(300);
    await trySend(await open({ connectionstring: connectionOf() }), alerts);
    expect(hub.sink.requests).toHaveLength(1);
    expect(hub.events).toEqual(alerts.map(({ json }) => json));
  });

  test('the signature is made anew as time goes on', async () => {
    const output = await open({ connectionstring: connectionOf() });
    await trySend(output, falcoAlerts(1));
    now += 2 * 3_600_000;
    await trySend(output, falcoAlerts(1));
    expect(hub.events).toHaveLength(2);
  });

  test('the wrong key is told as such, and is not shown', async () => {
    const output = await open({ connectionstring: connectionOf('b3RoZXIta2V5') });
    const error = await failureOf(trySend(output, falcoAlerts(2)));
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining('401') });
    expect(error.message).not.toContain('b3RoZXIta2V5');
    expect(hub.events).toEqual([]);
  });

  test('what is too large for a request is refused', async () => {
    const output = await open({ connectionstring: connectionOf() });
    const big = falcoAlert({ output: 'x'.repeat(1_100_000) });
    expect(await failureOf(trySend(output, [big]))).toBeInstanceOf(PermanentError);
  });

  test('a full batch fits', async () => {
    const text = '"quoted" '.repeat(60);
    const alerts = falcoAlerts(1000, { rule: text });
    const { bytes } = eventhub.batch!;
    const fitting = alerts.slice(0, Math.floor(bytes / alerts.at(-1)!.bytes.length));
    expect(fitting.length).toBeGreaterThan(300);
    await trySend(await open({ connectionstring: connectionOf() }), fitting);
    expect(hub.events).toHaveLength(fitting.length);
  });
});

describe('with the default credential', () => {
  /** A managed identity as App Service and Container Apps have it: learn.microsoft.com/azure/app-service/overview-managed-identity. */
  let service: HttpSink;
  let refuses: boolean;
  beforeAll(async () => {
    let given = 0;
    service = await HttpSink.listen((request, socket) => {
      const { searchParams } = new URL(request.target, 'http://identity');
      const known = request.headers['x-identity-header'] === 'header-secret';
      const asked = searchParams.get('resource') === 'https://eventhubs.azure.net';
      const token = {
        access_token: `token-${++given}`,
        expires_on: String(Math.floor(Date.now() / 1000) + 86_400),
        resource: 'https://eventhubs.azure.net',
        token_type: 'Bearer',
      };
      if (known && asked && !refuses) socket.write(answer(200, JSON.stringify(token)));
      else socket.write(answer(400, '{"error":"header-secret"}'));
    });
  });
  afterAll(() => service.close());
  beforeEach(() => {
    now = Date.now();
    service.requests.length = 0;
    vi.stubEnv('IDENTITY_ENDPOINT', `${service.origin}/msi/token`);
    vi.stubEnv('IDENTITY_HEADER', 'header-secret');
    vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'ManagedIdentityCredential');
  });

  // First: the library keeps a token that it got for the whole process.
  test('an identity that gets no token is told as such, and nothing of the answer', async () => {
    refuses = true;
    const error = await failureOf(trySend(await open({ namespace: 'ns' }), falcoAlerts(1), 20_000));
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({
      reason: 'auth',
      message: expect.stringMatching(/^no access token from Azure/),
    });
    expect(error.message).not.toContain('header-secret');
  });

  test('nothing is asked at the start, and one token serves many requests', async () => {
    refuses = false;
    const output = await open({ namespace: 'ns' });
    expect(service.requests).toEqual([]);
    for (let times = 0; times < 3; times++) await trySend(output, falcoAlerts(2));
    expect(hub.events).toHaveLength(6);
    expect(service.requests).toHaveLength(1);
  });
});

describe('settings', () => {
  const problemsOf = (config: object) =>
    eventhub.check!(eventhub.keys.parse({ name: 'falco', ...config })).map(({ path }) => path);

  test('a connection string is read', () => {
    expect(parseConnection(`${connectionOf()};EntityPath=falco`)).toEqual({
      host: HOST,
      keyName: 'send',
      key: KEY,
      entity: 'falco',
    });
    for (const wrong of ['', 'x', `Endpoint=sb://${HOST}/`, 'SharedAccessKeyName=a;SharedAccessKey=b']) {
      expect(parseConnection(wrong)).toBeUndefined();
    }
  });

  test('say where to send', () => {
    expect(problemsOf({ namespace: 'ns' })).toEqual([]);
    expect(problemsOf({ namespace: HOST })).toEqual([]);
    expect(problemsOf({ connectionstring: connectionOf() })).toEqual([]);
    expect(problemsOf({})).toEqual(['namespace']);
    expect(problemsOf({ namespace: 'https://ns/x' })).toEqual(['namespace']);
    expect(problemsOf({ connectionstring: `${connectionOf()};EntityPath=other` })).toEqual(['name']);
  });
});
