import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RetriableError } from '../../../src/core/errors.ts';
import { type Certs, makeCerts, serverTls } from '../../support/certs.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';
import { RawServer } from '../../support/raw-server.ts';

let dir: string;
let certs: Certs;
let plain: HttpSink;
let secure: HttpSink;
let proxy: RawServer | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-socks-'));
  certs = await makeCerts(dir);
  plain = await HttpSink.listen(always(200, 'plain'));
  secure = await HttpSink.listen(always(200, 'secure'), serverTls(certs));
});
afterEach(async () => {
  await closeClients();
  await proxy?.close();
});
afterAll(async () => {
  await Promise.all([plain.close(), secure.close()]);
  await rm(dir, { recursive: true, force: true });
});

const TAKEN = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

/** Answers what it is sent, in turns; when nothing is left, it passes on to `target`, or closes. */
async function socksProxy(answers: (number[] | string)[], target?: { port: number }): Promise<RawServer> {
  proxy = await RawServer.listen(socket => {
    const left = [...answers];
    socket.on('data', function reply() {
      socket.write(typeof left[0] === 'string' ? left[0] : Buffer.from(left[0]!));
      left.shift();
      if (left.length > 0) return;
      socket.off('data', reply);
      if (target) passOn(socket, target.port);
      else socket.end();
    });
  });
  return proxy;
}

function passOn(socket: Socket, port: number): void {
  const onward = connect(port, '127.0.0.1', () => socket.pipe(onward).pipe(socket));
  onward.on('error', () => socket.destroy());
}

function send(url: string, { userInfo = '', scheme = 'socks5' } = {}) {
  const address = `${scheme}://${userInfo}127.0.0.1:${proxy!.port}`;
  const client = clientOf(
    { caFiles: [certs.ca], serverName: 'localhost' },
    { env: { HTTP_PROXY: address, HTTPS_PROXY: address }, connectTimeoutMs: 300 },
  );
  return client.send({ method: 'POST', url, headers: {}, body: 'hello' }, patience());
}

const came = (text: string) => expect(proxy!.came[0]!.slice(0, text.length)).toBe(text);

test.each(['socks5', 'socks5h'])('%s leads to a target whose name the proxy looks up', async scheme => {
  await socksProxy([[5, 0], TAKEN], plain);
  expect(await send('http://far.example:81/a', { scheme })).toMatchObject({ status: 200, body: 'plain' });
  came('\x05\x01\x00\x05\x01\x00\x03\x0bfar.example\x00\x51POST /a HTTP/1.1\r\n');
  expect(plain.requests.at(-1)!.headers).toMatchObject({ host: 'far.example:81' });
});

test('a secure target is reached in the same way, and its certificate checked there', async () => {
  await socksProxy(
    [
      [5, 0],
      [5, 0, 0, 3, 1, 97, 0, 80],
    ],
    secure,
  );
  expect(await send('https://far.example/a')).toMatchObject({ status: 200, body: 'secure' });
  came('\x05\x01\x00\x05\x01\x00\x03\x0bfar.example\x01\xbb\x16');
});

test.each([
  ['10.1.2.3', '\x01\x0a\x01\x02\x03'],
  ['[fd00::1:2]', '\x04\xfd\x00\0\0\0\0\0\0\0\0\0\0\x00\x01\x00\x02'],
  ['[::1]', `\x04${'\0'.repeat(15)}\x01`],
  ['[1:2:3:4:5:6:7:8]', '\x04\0\x01\0\x02\0\x03\0\x04\0\x05\0\x06\0\x07\0\x08'],
])('an address is sent as one: %s', async (host, bytes) => {
  await socksProxy([[5, 0], TAKEN], plain);
  const client = clientOf({ proxy: `socks5://127.0.0.1:${proxy!.port}` });
  const request = { method: 'POST' as const, url: `http://${host}/`, headers: {}, body: 'hello' };
  expect(await client.send(request, patience())).toMatchObject({ status: 200 });
  came(`\x05\x01\x00\x05\x01\x00${bytes}\x00\x50`);
});

test('user name and password are sent when the proxy asks for them', async () => {
  await socksProxy([[5, 2], [1, 0], TAKEN], plain);
  expect(await send('http://far.example/', { userInfo: 'us%40:p%3Aw@' })).toMatchObject({ status: 200 });
  came('\x05\x02\x00\x02\x01\x03us@\x03p:w\x05\x01\x00');
});

test.each<[string, (number[] | string)[], string, string]>([
  ['closes', [[]], 'network', ': the connection was closed before the answer'],
  ['closes within its answer', [[5]], 'network', ': the connection was closed before the answer'],
  ['is another', ['HTTP/1.1 400 Bad Request\r\n\r\n'], 'network', ' does not speak SOCKS5'],
  ['takes no such credentials', [[5, 255]], 'auth', ' asks for other credentials'],
  [
    'refuses the password',
    [
      [5, 2],
      [1, 1],
    ],
    'auth',
    ' refuses the user name or password',
  ],
  [
    'does not reach the target',
    [
      [5, 0],
      [5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
    ],
    'network',
    ' refuses a tunnel (the connection was refused)',
  ],
])('a proxy that %s fails the try and is left alone', async (_what, answers, reason, text) => {
  const { port, sockets } = await socksProxy(answers);
  const error = await failureOf(send('https://far.example/private', { userInfo: 'us:s3cret@' }));
  expect(error).toBeInstanceOf(RetriableError);
  expect(error).toMatchObject({ reason, message: `the proxy socks5://127.0.0.1:${port}${text}` });
  await sleep(50);
  expect(sockets).toHaveLength(1);
});

test('a proxy that says nothing fails the try in time', async () => {
  proxy = await RawServer.listen(() => {});
  const error = await failureOf(send('https://far.example/'));
  expect(error).toMatchObject({
    reason: 'timeout',
    message: expect.stringContaining('no connection in time'),
  });
  expect(proxy.sockets).toHaveLength(1);
});

test.each(['http', 'https'])('a tunnel that is closed at once fails the try (%s)', async scheme => {
  const { sockets } = await socksProxy([[5, 0], TAKEN]);
  const error = await failureOf(send(`${scheme}://far.example/`));
  expect(error).toMatchObject({ reason: 'network' });
  expect(error!.message).toMatch(`${scheme}://far.example: `);
  await sleep(50);
  expect(sockets).toHaveLength(1);
});
