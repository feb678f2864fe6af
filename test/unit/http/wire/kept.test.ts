import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { RawServer } from '../../../support/raw-server.ts';
import { dispatch, echo, farEnds, hasty, ok, onRequests, Recorder } from './support.ts';

const { farEnd, pooled } = farEnds();

const LARGE = 'b'.repeat(8_000_000);

describe('what comes after an answer', () => {
  test.each([
    ['with it', 0],
    ['later', 1],
  ])('%s is never the answer to the next request', async (_name, later) => {
    const surplus = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';
    const server = await farEnd((socket, number) => {
      if (number > 1) return echo(socket);
      socket.once('data', () => {
        if (later === 0) socket.write(ok('/1') + surplus);
        else socket.write(ok('/1'), () => setImmediate(() => socket.write(surplus)));
      });
    });
    const pool = pooled(server.port);
    const first = dispatch(pool, '/1');
    // The second one waits already when both come at once.
    const waiting = later === 0 ? dispatch(pool, '/2') : undefined;
    expect(await first.done).toMatchObject({ status: 200, body: '/1' });
    if (later === 1) await server.until(() => server.open === 0);
    expect(await (waiting ?? dispatch(pool, '/2')).done).toMatchObject({ status: 200, body: '/2' });
    expect(server.sockets).toHaveLength(2);
  });

  test.each([
    ['FIN', 'end'],
    ['RST', 'resetAndDestroy'],
  ] as const)('a %s between two requests costs neither', async (_name, how) => {
    const server = await farEnd(echo);
    const pool = pooled(server.port);
    await dispatch(pool).done;
    const both = openSockets();
    server.sockets[0]![how]();
    while (openSockets() > both - 2) await turn();
    expect(await dispatch(pool, '/2').done).toMatchObject({ status: 200, body: '/2' });
  });

  test('a connection is not used when the far side is about to end it', async () => {
    const server = await farEnd(socket =>
      onRequests(socket, path => socket.write(ok(path, 'Keep-Alive: max=9, timeout=1\r\n'))),
    );
    const pool = pooled(server.port);
    for (const path of ['/1', '/2']) expect((await dispatch(pool, path).done).body).toBe(path);
    expect(server.sockets).toHaveLength(2);
    await server.until(() => server.open === 1);
  });

  test('an idle connection ends, even if the far side keeps its own end open', async () => {
    const server = await farEnd(socket => {
      socket.removeAllListeners('end');
      echo(socket);
    });
    const pool = pooled(server.port);
    await dispatch(pool).done;
    const both = openSockets();
    pool.close();
    while (openSockets() === both) await turn();
    expect(server.open).toBe(1);
  });
});

describe('a request whose kept connection ends before its answer', () => {
  /** Answers the first request of each connection, and does that with the second. */
  const thenAs =
    (deed: (socket: Socket) => void) =>
    (socket: Socket): void => {
      let isFirst = true;
      onRequests(socket, path => {
        if (isFirst) socket.write(ok(path));
        else deed(socket);
        isFirst = false;
      });
    };
  const timesSent = (server: RawServer, path: string) =>
    server.came.join('').split(`POST ${path} `).length - 1;

  test.each([
    ['FIN', (socket: Socket) => void socket.end()],
    ['RST', (socket: Socket) => void socket.resetAndDestroy()],
  ])('goes out once more, over a new one: %s', async (_name, deed) => {
    const server = await farEnd(thenAs(deed));
    const pool = pooled(server.port);
    const all = ['/a', '/b', '/c'].map(path => dispatch(pool, path));
    for (const one of all) expect(await one.done).toMatchObject({ status: 200, error: undefined, ends: 1 });
    expect(['/a', '/b', '/c'].map(path => timesSent(server, path))).toEqual([1, 2, 2]);
    expect(server.sockets).toHaveLength(3);
  });

  test('does so before others, and never over another that was kept', async () => {
    const server = await farEnd(thenAs(socket => socket.end()));
    const pool = pooled(server.port, { connections: 4 });
    const round = (name: string, count: number) =>
      Array.from({ length: count }, (_, index) => dispatch(pool, `/${name}${index}`));
    await Promise.all(round('warm', 4).map(one => one.done));
    const kept = server.sockets.length;
    const order: string[] = [];
    const all = round('again', kept);
    const behind = dispatch(pool, '/behind');
    await Promise.all(
      [...all, behind].map(async one => {
        expect(await one.done).toMatchObject({ status: 200, error: undefined });
        order.push(one.body);
      }),
    );
    expect(all.map((_, index) => timesSent(server, `/again${index}`))).toEqual(all.map(() => 2));
    expect(order.at(-1)).toBe('/behind');
    expect(server.sockets.length).toBeLessThanOrEqual(2 * kept + 1);
  });

  test('is a failure when the new one ends, too', async () => {
    const server = await farEnd((socket, number) =>
      number === 1 ? thenAs(one => one.end())(socket) : onRequests(socket, () => socket.end()),
    );
    const pool = pooled(server.port);
    await dispatch(pool).done;
    expect(await dispatch(pool, '/2').done).toMatchObject({ status: 0, error: { code: 'WIRE_CLOSED' } });
    expect(timesSent(server, '/2')).toBe(2);
  });

  test('is a failure when there is no new one', async () => {
    const server = await farEnd(thenAs(socket => socket.end()));
    const pool = pooled(server.port);
    await dispatch(pool).done;
    const closing = new Promise<void>(resolve => {
      server.sockets[0]!.on('data', () => resolve(server.refuse()));
    });
    expect(await dispatch(pool, '/2').done).toMatchObject({ error: { code: 'ECONNREFUSED' } });
    await closing;
  });

  test('is a failure when the connection was new', async () => {
    const server = await farEnd(socket => onRequests(socket, () => socket.end()));
    expect(await dispatch(pooled(server.port), '/1').done).toMatchObject({ error: { code: 'WIRE_CLOSED' } });
    expect(timesSent(server, '/1')).toBe(1);
  });

  test.each(['H', 'HTTP/1.1 103 X\r\n\r\n', 'garbage'])('is a failure after %j has come', async text => {
    const server = await farEnd(thenAs(socket => socket.end(text)));
    const pool = pooled(server.port);
    await dispatch(pool).done;
    expect(await dispatch(pool, '/2').done).toMatchObject({ status: 0, ends: 1, error: expect.any(Error) });
    expect(timesSent(server, '/2')).toBe(1);
  });

  test('does not go out again when it is given up meanwhile', async () => {
    const server = await farEnd(thenAs(socket => socket.end()));
    const pool = pooled(server.port);
    await dispatch(pool).done;
    const one = new Recorder();
    let starts = 0;
    one.onRequestStart = controller => {
      if (++starts === 2) controller.abort(new Error('no'));
    };
    pool.dispatch({ method: 'POST', path: '/2', headers: [], body: '' }, one);
    expect(await one.done).toMatchObject({ ends: 1, error: { message: 'no' } });
    expect(await dispatch(pool, '/3').done).toMatchObject({ body: '/3' });
    expect([starts, timesSent(server, '/2')]).toEqual([2, 1]);
  });

  test('does not go out again when it was given up before', async () => {
    const server = await farEnd(thenAs(() => {}));
    const pool = pooled(server.port);
    await dispatch(pool).done;
    const one = dispatch(pool, '/2');
    await server.until(() => timesSent(server, '/2') === 1);
    one.controller!.abort(new Error('no'));
    expect(one).toMatchObject({ ends: 1, error: { message: 'no' } });
    expect(await dispatch(pool, '/3').done).toMatchObject({ body: '/3' });
    expect(timesSent(server, '/2')).toBe(1);
  });

  test('does not go out again when no more is to be sent', async () => {
    const server = await farEnd(thenAs(() => {}));
    const pool = pooled(server.port);
    await dispatch(pool).done;
    const one = dispatch(pool, '/2');
    await server.until(() => timesSent(server, '/2') === 1);
    pool.close();
    server.sockets[0]!.end();
    expect(await one.done).toMatchObject({ error: { code: 'WIRE_CLOSED' } });
    expect(server.sockets).toHaveLength(1);
  });
});

describe('an answer that comes before its request has been read', () => {
  test('keeps the connection from the next request until the first has gone out', async () => {
    const { serve, resume } = hasty();
    const server = await farEnd(serve);
    const pool = pooled(server.port);
    const first = dispatch(pool, '/1', { body: LARGE });
    const second = dispatch(pool, '/2');
    expect(await first.done).toMatchObject({ status: 413, ends: 1 });
    resume();
    expect(await second.done).toMatchObject({ status: 200, body: '/2' });
    expect(server.sockets).toHaveLength(1);
  });

  test.each([
    ['that stays', ''],
    ['that closes', 'Connection: close\r\n'],
  ])('over a connection %s, from a far side that never reads on, holds nobody up', async (_name, header) => {
    const server = await farEnd((socket, number) => {
      if (number > 1) return echo(socket);
      socket.once('data', () => {
        socket.pause();
        socket.write(`HTTP/1.1 413 X\r\n${header}Content-Length: 0\r\n\r\n`);
      });
    });
    const pool = pooled(server.port, { bodyTimeoutMs: 50 });
    const first = dispatch(pool, '/1', { body: LARGE });
    const second = dispatch(pool, '/2');
    expect(await first.done).toMatchObject({ status: 413, error: undefined });
    expect(await second.done).toMatchObject({ status: 200, body: '/2' });
    expect(server.sockets).toHaveLength(2);
  });
});

/** Of this process, at both ends. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length;
}
