import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RetriableError } from '../../../src/core/errors.ts';
import { type Certs, makeCerts, serverTls } from '../../support/certs.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';
import { RawServer } from '../../support/raw-server.ts';

let dir: string;
let certs: Certs;
let target: HttpSink;
const proxies: RawServer[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-tunnel-'));
  certs = await makeCerts(dir);
  target = await HttpSink.listen(always(200, 'there'), serverTls(certs));
});
afterEach(async () => {
  await closeClients();
  await Promise.all(proxies.splice(0).map(proxy => proxy.close()));
});
afterAll(async () => {
  await target.close();
  await rm(dir, { recursive: true, force: true });
});

type Behaviour = (socket: Socket) => void;

async function proxyThat(behave: Behaviour, tls?: TlsOptions): Promise<RawServer> {
  const proxy = await RawServer.listen(behave, tls && { tls });
  proxies.push(proxy);
  return proxy;
}

/** Once a request has come. */
const answering =
  (answer: Behaviour): Behaviour =>
  socket =>
    void socket.once('data', () => answer(socket));

const passOn = answering(socket => {
  const onward = connect(target.port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(onward).pipe(socket);
  });
  onward.on('error', () => socket.destroy());
});

function senderThrough(proxy: RawServer) {
  const client = clientOf(
    { caFiles: [certs.ca], serverName: 'localhost', proxy: `http://us:s3cret@127.0.0.1:${proxy.port}` },
    { connections: 2, connectTimeoutMs: 300 },
  );
  const request = { method: 'POST' as const, url: 'https://far.example/x', headers: {}, body: 'hello' };
  // A storm of connections is to fail the test soon.
  return () => client.send(request, AbortSignal.timeout(3000));
}

test.each<[string, Behaviour, { reason: string; message: string }]>([
  ['closes at once', socket => socket.end(), { reason: 'network', message: 'closed' }],
  ['resets', socket => socket.resetAndDestroy(), { reason: 'network', message: 'reset' }],
  ['closes when asked', answering(socket => socket.end()), { reason: 'network', message: 'closed' }],
  [
    'closes within its answer',
    answering(socket => socket.end('HTTP/1.1 200 OK\r\nX')),
    { reason: 'network', message: 'closed' },
  ],
  [
    'asks for credentials',
    answering(socket => socket.end('HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n')),
    { reason: 'auth', message: 'asks for credentials (407)' },
  ],
  [
    'does not reach the target',
    answering(socket => socket.end('HTTP/1.1 502 X\r\nContent-Length: 2\r\n\r\nno')),
    { reason: 'network', message: 'refuses a tunnel (502 Bad Gateway)' },
  ],
  [
    'answers without end',
    answering(socket => socket.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(5000)}`)),
    { reason: 'network', message: 'the headers of the answer are too large' },
  ],
  ['is none', answering(socket => socket.end('SSH-2.0-x\r\n')), { reason: 'network', message: 'not HTTP' }],
  ['says nothing', () => {}, { reason: 'timeout', message: 'no connection in time' }],
])('a proxy that %s fails the try and is left alone', async (_what, behave, { reason, message }) => {
  const proxy = await proxyThat(behave);
  const error = (await failureOf(senderThrough(proxy)()))!;
  expect(error).toBeInstanceOf(RetriableError);
  expect(error.reason).toBe(reason);
  expect(error.message).toMatch(new RegExp(`^the proxy http://127.0.0.1:${proxy.port}[: ]`));
  expect(error.message).toContain(message);
  expect(error.message).not.toContain('s3cret');
  expect(proxy.sockets).toHaveLength(1);
  await sleep(100);
  expect(proxy.sockets).toHaveLength(1);
});

test('a send that is given up leaves no tries behind', async () => {
  const proxy = await proxyThat(answering(socket => void setTimeout(() => socket.end(), 50)));
  const caller = new AbortController();
  const client = clientOf({ proxy: `http://127.0.0.1:${proxy.port}` });
  const request = { method: 'POST' as const, url: 'https://far.example/x', headers: {}, body: 'hello' };
  const sent = failureOf(client.send(request, caller.signal));
  await proxy.until(() => proxy.sockets.length > 0);
  caller.abort();
  expect(await sent).toMatchObject({ reason: 'timeout' });
  await proxy.until(() => proxy.open === 0);
  await sleep(100);
  expect(proxy.sockets).toHaveLength(1);
});

test.each<[string, Behaviour]>([
  ['that are not open yet', () => {}],
  [
    'whose target answers no handshake',
    answering(socket => socket.write('HTTP/1.1 200 Connection established\r\n\r\n')),
  ],
])(
  'a client that is closed ends its tunnels, also those %s',
  async (_, behave) => {
    const proxy = await proxyThat(behave);
    const client = clientOf({ proxy: `http://127.0.0.1:${proxy.port}` });
    const request = { method: 'POST' as const, url: 'https://far.example/x', headers: {}, body: 'hello' };
    const sent = failureOf(client.send(request, patience()));
    await proxy.until(() => proxy.came[0] !== undefined && proxy.came[0] !== '');
    // The handshake has begun, where it comes to that.
    await sleep(100);
    await client.close();
    expect(await sent).toBeInstanceOf(RetriableError);
    await proxy.until(() => proxy.open === 0);
  },
  5_000,
);

test('sends at once fail with a connection each', async () => {
  const proxy = await proxyThat(socket => socket.end());
  const send = senderThrough(proxy);
  const errors = await Promise.all(Array.from({ length: 6 }, () => failureOf(send())));
  for (const error of errors) expect(error).toMatchObject({ reason: 'network' });
  expect(proxy.sockets.length).toBeLessThanOrEqual(6);
});

test('a proxy that cannot be connected to is named', async () => {
  const proxy = await proxyThat(() => {});
  const send = senderThrough(proxy);
  await proxy.close();
  expect(await failureOf(send())).toMatchObject({
    reason: 'network',
    message: expect.stringMatching(/^the proxy http:\/\/127\.0\.0\.1:\d+: the connection was refused$/),
  });
});

test('a proxy is reached over TLS, and its certificate checked', async () => {
  const tls = serverTls(certs);
  const proxy = await proxyThat(passOn, tls);
  const request = { method: 'POST' as const, url: 'https://localhost:444/x', headers: {}, body: 'hello' };
  const trusting = clientOf({ caFiles: [certs.ca], proxy: `https://127.0.0.1:${proxy.port}` });
  expect(await trusting.send(request, patience())).toMatchObject({ status: 200, body: 'there' });
  const head = 'CONNECT localhost:444 HTTP/1.1\r\nhost: localhost:444\r\n\r\n';
  expect(proxy.came[0]!.slice(0, head.length)).toBe(head);
  const wary = clientOf({ proxy: `https://127.0.0.1:${proxy.port}` });
  expect(await failureOf(wary.send(request, patience()))).toMatchObject({
    reason: 'network',
    message: expect.stringMatching(/^the proxy https:\/\/127\.0\.0\.1:\d+: its certificate is signed by/),
  });
});

test('a target of another name fails the try, whatever host a header names', async () => {
  const proxy = await proxyThat(passOn);
  const settings = { caFiles: [certs.ca], proxy: `http://127.0.0.1:${proxy.port}` };
  const client = clientOf({ ...settings, headers: { host: 'me.example' } });
  const request = { method: 'POST' as const, url: 'https://far.example/x', headers: {}, body: 'hello' };
  expect(await failureOf(client.send(request, patience()))).toMatchObject({
    message: 'https://far.example: its certificate is for another name (see tls.servername)',
  });
  await sleep(50);
  expect(proxy.sockets).toHaveLength(1);
});

test('a proxy that recovers is used again', async () => {
  let behave: Behaviour = socket => socket.end();
  const proxy = await proxyThat(socket => behave(socket));
  const send = senderThrough(proxy);
  for (let index = 0; index < 3; index++)
    expect(await failureOf(send())).toMatchObject({ reason: 'network' });
  behave = passOn;
  expect(await send()).toMatchObject({ status: 200, body: 'there' });
  expect(await send()).toMatchObject({ status: 200, body: 'there' });
});
