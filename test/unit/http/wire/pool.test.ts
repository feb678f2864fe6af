import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { WirePool } from '../../../../src/core/http/wire/pool.ts';
import { RawServer } from '../../../support/raw-server.ts';
import { dispatch, echo, hasty, ok, onRequests, poolTo, Recorder } from './support.ts';

const far: RawServer[] = [];
const pools: WirePool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.destroy();
  await Promise.all(far.splice(0).map(one => one.close()));
});

async function farEnd(...options: Parameters<typeof RawServer.listen>): Promise<RawServer> {
  const one = await RawServer.listen(...options);
  far.push(one);
  return one;
}

function pooled(...options: Parameters<typeof poolTo>): WirePool {
  const pool = poolTo(...options);
  pools.push(pool);
  return pool;
}

const LARGE = 'b'.repeat(8_000_000);

describe('requests', () => {
  test('wait for a connection in their order', async () => {
    const server = await farEnd(echo);
    const pool = pooled(server.port);
    const all = Array.from({ length: 50 }, (_, index) => dispatch(pool, `/${index}`));
    const order: string[] = [];
    await Promise.all(all.map(one => one.done.then(() => order.push(one.body))));
    expect(order).toEqual(all.map((_, index) => `/${index}`));
    expect(server.sockets).toHaveLength(1);
  });

  test('go out over as many connections as are allowed', async () => {
    const server = await farEnd(() => {});
    const pool = pooled(server.port, { connections: 3 });
    for (let index = 0; index < 10; index++) dispatch(pool);
    await server.until(() => server.came.filter(text => text !== '').length === 3);
    expect(server.sockets).toHaveLength(3);
  });

  test('may be sent from within the answer to another', async () => {
    const server = await farEnd(echo);
    const pool = pooled(server.port);
    const inner = new Recorder();
    const outer = new Recorder();
    outer.onResponseEnd = () => pool.dispatch({ method: 'POST', path: '/in', headers: [], body: '' }, inner);
    pool.dispatch({ method: 'POST', path: '/out', headers: [], body: '' }, outer);
    expect(await inner.done).toMatchObject({ status: 200, body: '/in' });
    expect(server.sockets).toHaveLength(1);
  });

  test('may be sent from within a failure', async () => {
    const server = await farEnd((socket, number) => (number === 1 ? socket.destroy() : echo(socket)));
    const pool = pooled(server.port);
    const again = new Recorder();
    const failed = new Recorder();
    failed.onResponseError = () =>
      pool.dispatch({ method: 'POST', path: '/2', headers: [], body: '' }, again);
    pool.dispatch({ method: 'POST', path: '/1', headers: [], body: '' }, failed);
    expect(await again.done).toMatchObject({ status: 200, body: '/2' });
  });

  test('whose answer ends everything leave no connection', async () => {
    const server = await farEnd(echo);
    const pool = pooled(server.port);
    const last = new Recorder();
    last.onResponseEnd = controller => {
      controller.abort(new Error('enough'));
      pool.close();
      last.ends++;
      last.happened();
    };
    pool.dispatch({ method: 'POST', path: '/', headers: [], body: '' }, last);
    await last.done;
    await server.until(() => server.sockets.length === 1 && server.open === 0);
    expect(last.error).toBeUndefined();
  });
});

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

describe('giving up', () => {
  test('takes a waiting request out of the queue: it never goes out', async () => {
    const server = await farEnd(() => {});
    const pool = pooled(server.port);
    dispatch(pool, '/1');
    const waiting = Array.from({ length: 20_000 }, (_, index) => dispatch(pool, `/dead${index}`));
    const last = dispatch(pool, '/2');
    for (const one of waiting) one.controller!.abort(new Error('no'));
    waiting[0]!.controller!.abort(new Error('again'));
    expect(waiting.every(one => one.ends === 1 && one.error?.message === 'no')).toBe(true);
    await server.until(() => server.came[0]?.includes('POST /1 ') ?? false);
    server.sockets[0]!.write(ok());
    await server.until(() => server.came[0]!.includes('POST /2 '));
    expect(server.came[0]).not.toContain('dead');
    server.sockets[0]!.write(ok());
    expect(await last.done).toMatchObject({ status: 200 });
  });

  test('ends the connection of a request under way, and serves the next', async () => {
    const server = await farEnd((socket, number) => (number > 1 ? echo(socket) : undefined));
    const pool = pooled(server.port);
    const [first, second] = [dispatch(pool, '/1'), dispatch(pool, '/2')];
    await server.until(() => server.came[0] !== undefined && server.came[0] !== '');
    first.controller!.abort(new Error('no'));
    expect(first).toMatchObject({ ends: 1, error: { message: 'no' } });
    expect(await second.done).toMatchObject({ body: '/2' });
  });

  test('within the body is heard at once, and nothing more is told', async () => {
    const server = await farEnd(socket =>
      onRequests(socket, () => socket.write(`${ok('y'.repeat(100_000))}`)),
    );
    const pool = pooled(server.port);
    const one = new Recorder();
    let after = 0;
    one.onResponseData = controller => {
      after++;
      controller.abort(new Error('no'));
    };
    pool.dispatch({ method: 'POST', path: '/', headers: [], body: '' }, one);
    expect(await one.done).toMatchObject({ status: 200, ends: 1, error: { message: 'no' } });
    await server.until(() => server.open === 0);
    expect([after, one.ends]).toEqual([1, 1]);
  });
});

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

test('a body that stalls is a failure after the status', async () => {
  const server = await farEnd(socket =>
    onRequests(socket, () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
  );
  const one = dispatch(pooled(server.port, { bodyTimeoutMs: 30 }));
  expect(await one.done).toMatchObject({ status: 200, body: 'half', error: { code: 'WIRE_BODY_TIMEOUT' } });
});

test('a body that drips without end is a failure after the status', async () => {
  const server = await farEnd(socket =>
    onRequests(socket, () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const drip = setInterval(() => socket.write('1\r\nx\r\n'), 10);
      socket.on('close', () => clearInterval(drip));
    }),
  );
  const one = dispatch(pooled(server.port, { bodyTimeoutMs: 100 }));
  expect(await one.done).toMatchObject({ status: 200, error: { code: 'WIRE_BODY_TIMEOUT' } });
});

test('an IPv6 address is a host', async ({ skip }) => {
  const server = await RawServer.listen(echo, { host: '::1' }).catch(() => skip('no IPv6 here'));
  far.push(server);
  const pool = pooled(server.port, { origin: new URL(`http://[::1]:${server.port}`) });
  expect(await dispatch(pool, '/6').done).toMatchObject({ body: '/6' });
  expect(server.came[0]).toContain(`host: [::1]:${server.port}\r\n`);
});

test('nothing is left that keeps a process alive', async () => {
  const server = await farEnd((socket, number) => {
    if (number === 1) echo(socket);
    else onRequests(socket, () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'));
  });
  const script = `
    import { WirePool } from './src/core/http/wire/pool.ts';
    const pool = new WirePool({ origin: new URL('http://127.0.0.1:${server.port}'), connections: 2,
      keepAliveMs: 1e9, connectTimeoutMs: 1e9, bodyTimeoutMs: 1e9, tls() {} });
    let started = 0;
    const ended = { onRequestStart() {}, onResponseStart() { if (++started === 2) pool.destroy(); },
      onResponseData() {}, onResponseEnd() {}, onResponseError() {} };
    for (let i = 0; i < 9; i++) pool.dispatch({ method: 'POST', path: '/', headers: [], body: 'x' }, ended);`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 15_000 });
});

// What a far side may do with a request.
const deeds: Record<string, (socket: Socket) => void> = {
  answer: socket => void socket.write(ok('fine')),
  chunks: socket =>
    void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'),
  'an answer and the end': socket => void socket.end(ok('fine')),
  'an answer and more': socket => void socket.write(`${ok('fine')}HTTP/1.1 500 X\r\n\r\n`),
  'an answer that closes': socket => void socket.write(ok('fine', 'Connection: close\r\n')),
  'a body to the end': socket => void socket.end('HTTP/1.1 200 OK\r\n\r\nrest'),
  'a head, then nothing': socket => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxx'),
  'half a head and the end': socket => void socket.end('HTTP/1.1 200'),
  garbage: socket => void socket.write('\0\x01garbage'),
  nothing: () => {},
  end: socket => void socket.end(),
  reset: socket => void socket.resetAndDestroy(),
};

test('whatever the far side does, and whenever we stop: each request ends exactly once', async () => {
  let script: string[] = [];
  const server = await farEnd(socket => {
    onRequests(socket, () => deeds[script.shift() ?? 'answer']!(socket));
  });
  const action = fc.record({
    after: fc.nat(12),
    what: fc.constantFrom('abort', 'abort', 'send', 'send'),
    which: fc.nat(30),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...Object.keys(deeds)), { maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(action, { maxLength: 8 }),
      fc.constantFrom('destroy', 'close', 'close, then destroy'),
      async (plan, connections, count, actions, finish) => {
        script = [...plan];
        const pool = poolTo(server.port, { connections, bodyTimeoutMs: 20 });
        const all = Array.from({ length: count }, () => dispatch(pool));
        for (const { after, what, which } of actions) {
          for (let turns = 0; turns < after; turns++) await turn();
          if (what === 'send') all.push(dispatch(pool));
          else {
            const one = all[which % all.length]!;
            if (one.ends === 0) one.controller!.abort(new Error('no'));
            expect(one.ends).toBe(1);
          }
        }
        if (finish !== 'destroy') pool.close();
        expect(finish === 'destroy' || throws(() => dispatch(pool))).toBe(true);
        if (finish === 'close, then destroy') for (let turns = 0; turns < 5; turns++) await turn();
        // Nobody else ends those that the far side leaves without an answer.
        if (finish === 'close') {
          for (const one of all)
            if (plan.includes('nothing') && one.ends === 0) one.controller!.abort(new Error());
          await Promise.all(all.map(one => one.done));
        } else pool.destroy();
        for (const one of all) expect(one.ends).toBe(1);
        await server.until(() => server.open === 0);
        for (const one of all) expect(one.ends).toBe(1);
        server.sockets.length = 0;
        server.came.length = 0;
      },
    ),
    { numRuns: 150 },
  );
});

/** Of this process, at both ends. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length;
}

function throws(act: () => void): boolean {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}
