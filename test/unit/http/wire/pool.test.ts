import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { dispatch, echo, farEnds, ok, onRequests, Recorder } from './support.ts';

const { farEnd, pooled } = farEnds();

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
  const server = await farEnd(echo, { host: '::1' }).catch(() => skip('no IPv6 here'));
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
