import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WirePool, WirePoolOptions } from '../../../../src/core/http/wire/pool.ts';
import { makeCerts } from '../../../support/certs.ts';
import { RawServer } from '../../../support/raw-server.ts';
import { dispatch, echo, hasty, ok, onRequests, poolTo } from './support.ts';

let dir: string;
let pem: Record<'ca' | 'serverCert' | 'serverKey' | 'clientCert' | 'clientKey' | 'otherCa', string>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-wire-'));
  const files = await makeCerts(dir);
  pem = Object.fromEntries(
    Object.entries(files).map(([name, file]) => [name, readFileSync(file, 'utf8')]),
  ) as typeof pem;
});
afterAll(() => rm(dir, { recursive: true }));

const far: RawServer[] = [];
const pools: WirePool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.destroy();
  await Promise.all(far.splice(0).map(one => one.close()));
});

async function secureEnd(
  serve: Parameters<typeof RawServer.listen>[0],
  over: object = {},
): Promise<RawServer> {
  const one = await RawServer.listen(serve, { tls: { cert: pem.serverCert, key: pem.serverKey, ...over } });
  far.push(one);
  return one;
}

function securePool(port: number, tls: WirePoolOptions['tls']): WirePool {
  const pool = poolTo(port, { scheme: 'https', tls });
  pools.push(pool);
  return pool;
}

const trusting = (...ca: string[]) => ({
  secureContext: createSecureContext({ ca }),
  rejectUnauthorized: true,
});
/** Over connections of their own. */
const closing = (socket: Parameters<typeof echo>[0]) =>
  onRequests(socket, path => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${path}`));

test('a body that goes to the end of a connection is read to it', async () => {
  const server = await secureEnd(socket =>
    onRequests(socket, () => socket.end(`HTTP/1.1 200 OK\r\n\r\n${'y'.repeat(300_000)}`)),
  );
  const context = trusting(pem.ca);
  const one = await dispatch(securePool(server.port, () => context)).done;
  expect(one).toMatchObject({ status: 200, error: undefined });
  expect(one.body).toHaveLength(300_000);
});

test('one connection carries one request after the other, each once the one before has gone out', async () => {
  const { serve, resume } = hasty();
  const server = await secureEnd(serve);
  const context = trusting(pem.ca);
  const pool = securePool(server.port, () => context);
  const first = dispatch(pool, '/first', { body: 'x'.repeat(8 * 1024 * 1024) });
  const second = dispatch(pool, '/second');
  expect(await first.done).toMatchObject({ status: 413, ends: 1 });
  resume();
  expect(await second.done).toMatchObject({ status: 200, body: '/second' });
  for (let number = 0; number < 50; number++) {
    expect(await dispatch(pool, `/${number}`).done).toMatchObject({ body: `/${number}` });
  }
  expect(server.sockets).toHaveLength(1);
});

test('a session is taken up again, but not with other certificates', async () => {
  const reused: boolean[] = [];
  const server = await secureEnd(socket => {
    reused.push((socket as TLSSocket).isSessionReused());
    closing(socket);
  });
  let context = trusting(pem.ca);
  const pool = securePool(server.port, () => context);
  for (const path of ['/1', '/2']) expect(await dispatch(pool, path).done).toMatchObject({ body: path });
  context = trusting(pem.ca, pem.otherCa);
  expect(await dispatch(pool, '/3').done).toMatchObject({ body: '/3' });
  expect(await dispatch(pool, '/4').done).toMatchObject({ body: '/4' });
  expect(reused).toEqual([false, true, false, true]);
  context = trusting(pem.otherCa);
  expect(await dispatch(pool, '/5').done).toMatchObject({ status: 0, ends: 1 });
});

test('a session that the far side does not know any more is no obstacle', async () => {
  const server = await secureEnd(closing);
  const context = trusting(pem.ca);
  const pool = securePool(server.port, () => context);
  await dispatch(pool).done;
  const { port } = server;
  await server.close();
  const reused: boolean[] = [];
  const notice: typeof closing = socket => {
    reused.push((socket as TLSSocket).isSessionReused());
    closing(socket);
  };
  const again = await RawServer.listen(notice, { tls: { cert: pem.serverCert, key: pem.serverKey }, port });
  far.push(again);
  expect(await dispatch(pool, '/2').done).toMatchObject({ body: '/2' });
  expect(reused).toEqual([false]);
});

test('a far side that wants a certificate and gets none, or ours, ends or serves each request', async () => {
  const server = await secureEnd(echo, { requestCert: true, rejectUnauthorized: true, ca: pem.ca });
  const bare = trusting(pem.ca);
  const pool = securePool(server.port, () => bare);
  const all = [dispatch(pool), dispatch(pool), dispatch(pool)];
  for (const one of all)
    expect(await one.done).toMatchObject({ status: 0, ends: 1, error: expect.any(Error) });
  const secureContext = createSecureContext({ ca: pem.ca, cert: pem.clientCert, key: pem.clientKey });
  const known = securePool(server.port, () => ({ secureContext, rejectUnauthorized: true }));
  expect(await dispatch(known, '/2').done).toMatchObject({ body: '/2' });
});

test('what speaks no TLS fails the request', async () => {
  const server = await RawServer.listen(socket => void socket.write('HTTP/1.1 400 X\r\n\r\n'));
  far.push(server);
  const context = trusting(pem.ca);
  expect(await dispatch(securePool(server.port, () => context)).done).toMatchObject({ status: 0, ends: 1 });
});

test('a request whose kept connection ends before its answer goes out once more', async () => {
  const server = await secureEnd(socket => {
    let isFirst = true;
    onRequests(socket, path => {
      if (isFirst) socket.write(ok(path));
      else socket.end();
      isFirst = false;
    });
  });
  const context = trusting(pem.ca);
  const pool = securePool(server.port, () => context);
  for (const path of ['/1', '/2', '/3']) {
    expect(await dispatch(pool, path).done).toMatchObject({ status: 200, body: path });
  }
  expect(server.sockets).toHaveLength(3);
});
