import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { RawServer } from '../../../support/raw-server.ts';
import { dispatch, echo, farEnds } from './support.ts';

const { farEnd, pooled } = farEnds();

describe('an attempt to connect whose request was given up', () => {
  /** Connections up to that number never get through their handshake; those after it answer. */
  const stuckUpTo = (last: number) => (socket: Socket, number: number) => {
    // What is no TLS ends the attempt at once; nothing at all leaves it hanging.
    if (number > last) socket.end('no TLS');
  };

  test('does not hold back the requests after it', async () => {
    const server = await farEnd(stuckUpTo(1));
    const pool = pooled(server.port, { scheme: 'https', connections: 2 });
    const first = dispatch(pool);
    await server.until(() => server.sockets.length === 1);
    first.controller!.abort(new Error('no'));
    expect((await dispatch(pool).done).error!.message).not.toBe('no');
    expect(server.sockets).toHaveLength(2);
    expect(server.open).toBeGreaterThan(0);
  });

  test('does not hold back those that wait behind it either', async () => {
    const server = await farEnd(stuckUpTo(8));
    const pool = pooled(server.port, { scheme: 'https', connections: 16 });
    const stuck = Array.from({ length: 8 }, () => dispatch(pool));
    const behind = [dispatch(pool), dispatch(pool)];
    await server.until(() => server.sockets.length === 8);
    for (const one of stuck) one.controller!.abort(new Error('no'));
    for (const one of behind) expect((await one.done).error!.message).not.toBe('no');
    expect(server.sockets).toHaveLength(10);
  });

  test('makes room where no more connections are allowed', async () => {
    const server = await farEnd(stuckUpTo(1));
    const pool = pooled(server.port, { scheme: 'https' });
    const first = dispatch(pool);
    await server.until(() => server.sockets.length === 1);
    first.controller!.abort(new Error('no'));
    expect((await dispatch(pool).done).error).toBeDefined();
    expect(server.sockets).toHaveLength(2);
    await server.until(() => server.open === 0);
  });

  test('does not fail those that came after it began', async () => {
    const server = await farEnd((socket, number) =>
      number === 1 ? void setTimeout(() => socket.end('no TLS'), 50) : undefined,
    );
    const pool = pooled(server.port, { scheme: 'https', connections: 2 });
    const first = dispatch(pool);
    await server.until(() => server.sockets.length === 1);
    first.controller!.abort(new Error('no'));
    const second = dispatch(pool);
    await server.until(() => server.sockets.length === 2 && server.open === 1);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(second.ends).toBe(0);
  });

  test('is not opened again for many that are given up together', async () => {
    const server = await farEnd(stuckUpTo(100));
    const pool = pooled(server.port, { scheme: 'https', connections: 100 });
    const all = Array.from({ length: 50 }, () => dispatch(pool));
    await server.until(() => server.sockets.length === 8);
    for (const one of all) one.controller!.abort(new Error('no'));
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(server.sockets).toHaveLength(8);
  });

  test('serves the next one when it comes through after all', async () => {
    const server = await farEnd(echo);
    const pool = pooled(server.port);
    const first = dispatch(pool, '/1');
    // Given up before the connection is there.
    first.controller!.abort(new Error('no'));
    await server.until(() => server.sockets.length === 1);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(await dispatch(pool, '/2').done).toMatchObject({ body: '/2' });
    expect(server.sockets).toHaveLength(1);
    expect(server.came[0]).not.toContain('POST /1 ');
  });
});

describe('no connection', () => {
  test('each of many waiting requests fails when nobody listens', async () => {
    const server = await RawServer.listen(() => {});
    const { port } = server;
    await server.close();
    const pool = pooled(port, { connections: 2 });
    const all = Array.from({ length: 100 }, () => dispatch(pool));
    for (const one of all) expect(await one.done).toMatchObject({ ends: 1, error: { code: 'ECONNREFUSED' } });
  });

  test('a handshake that never ends is given up, for each request in turn', async () => {
    const server = await farEnd(() => {});
    const pool = pooled(server.port, { scheme: 'https', connectTimeoutMs: 30 });
    const all = [dispatch(pool), dispatch(pool), dispatch(pool)];
    for (const one of all)
      expect(await one.done).toMatchObject({ ends: 1, error: { code: 'WIRE_CONNECT_TIMEOUT' } });
    await server.until(() => server.open === 0);
  });

  test('TLS settings that cannot be used fail the request, and the next may do better', async () => {
    const server = await farEnd(echo);
    let isBroken = true;
    const pool = pooled(server.port, {
      scheme: 'https',
      tls: () => {
        if (isBroken) throw new Error('no certificates');
        return undefined as never;
      },
    });
    expect(await dispatch(pool).done).toMatchObject({ error: { message: 'no certificates' } });
    isBroken = false;
    expect(await dispatch(pool, '/2').done).toMatchObject({ body: '/2' });
  });
});
