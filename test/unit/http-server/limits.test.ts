import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { alertText, call, post, type Rig, raw, startServer } from './support.ts';

let rig: Rig;
afterEach(() => rig.close());

describe('packed bodies', () => {
  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['identity', (text: string) => text],
  ])('%s is understood', async (encoding, pack) => {
    rig = await startServer();
    expect((await post(rig.url, pack(alertText()), { 'content-encoding': encoding })).status).toBe(200);
    expect(rig.accepted).toBe(1);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('a %s bomb is refused, and the next alert taken', async (encoding, pack) => {
    rig = await startServer({ maxBodyBytes: 100_000 });
    const bomb = pack(Buffer.alloc(50_000_000, 0x20));
    expect((await post(rig.url, bomb, { 'content-encoding': encoding })).status).toBe(413);
    expect((await post(rig.url, alertText())).status).toBe(200);
    expect([rig.refused, rig.accepted]).toEqual([['too_large'], 1]);
  });

  it('however many come at once, each is taken', async () => {
    rig = await startServer();
    const body = gzipSync(alertText({ output: 'x'.repeat(500_000) }));
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => post(rig.url, body, { 'content-encoding': 'gzip' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(rig.accepted).toBe(30);
  });

  it('what does not unpack is 400', async () => {
    rig = await startServer();
    const cut = gzipSync(alertText()).subarray(0, 40);
    const answer = await post(rig.url, cut, { 'content-encoding': 'gzip' });
    expect(answer).toMatchObject({
      status: 400,
      body: expect.stringMatching(/^Please send a valid request body: /),
    });
    expect(rig.refused).toEqual(['encoding']);
  });

  it('an unknown packing is 415 and says what is known', async () => {
    rig = await startServer();
    const answer = await post(rig.url, 'x', { 'content-encoding': 'zstd' });
    expect(answer.status).toBe(415);
    expect(answer.headers['accept-encoding']).toBe('gzip, deflate, br');
    expect(rig.refused).toEqual(['encoding']);
  });
});

describe('large bodies', () => {
  it('a body of exactly the limit is taken', async () => {
    const body = alertText({ output: 'x'.repeat(150_000) });
    rig = await startServer({ maxBodyBytes: body.length });
    expect((await post(rig.url, body)).status).toBe(200);
    expect((await post(rig.url, ` ${body}`)).status).toBe(413);
  });

  it('a declared length over the limit is refused before the body comes, and the connection closed', async () => {
    rig = await startServer({ maxBodyBytes: 1000 });
    const socket = connect(rig.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n');
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 413 [\s\S]*Connection: close/);
    socket.end();
    await once(socket, 'close');
  });

  it('a sender that goes on sending is not cut off in the middle of it', async () => {
    rig = await startServer({ maxBodyBytes: 1000 });
    const body = Buffer.alloc(8_000_000, 0x20);
    const socket = connect(rig.port, '127.0.0.1');
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    await once(socket, 'data');
    const errors: unknown[] = [];
    socket.on('error', error => errors.push(error));
    socket.write(body);
    await once(socket, 'close');
    expect(errors).toEqual([]);
    expect(rig.refused).toEqual(['too_large']);
  });

  it('what is sent behind a request that ends the connection is not taken, as it can have no answer', async () => {
    const good = alertText();
    rig = await startServer({ maxBodyBytes: good.length });
    const post = (body: string) =>
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const answers = await raw(rig.port, post(good) + post(` ${good}`) + post(good));
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 413']);
    expect(rig.backend.taken).toHaveLength(1);
  });

  it('a body in chunks is cut off at the limit', async () => {
    rig = await startServer({ maxBodyBytes: 100_000 });
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.request(rig.url, { method: 'POST', agent: false }, resolve).on('error', reject);
      for (let i = 0; i < 20; i++) request.write('x'.repeat(10_000));
      request.end();
    });
    expect(answer.statusCode).toBe(413);
    answer.resume();
  });
});

describe('ways to send', () => {
  it.each([
    ['alone', '', 1],
    [
      'behind a simple one',
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${alertText().length}\r\n\r\n${alertText()}`,
      2,
    ],
  ])('with its side closed behind the request, %s', async (_name, before, answers) => {
    rig = await startServer();
    rig.backend.onTake = () => new Promise(resolve => setTimeout(resolve, 20));
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    const body = alertText();
    socket.end(
      `${before}POST / HTTP/1.1\r\nHost: a\r\nExpect: nothing\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(answers);
    expect(rig.accepted).toBe(answers);
  });

  it('without a Host', async () => {
    rig = await startServer();
    const body = alertText();
    const answer = await raw(
      rig.port,
      `POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('HTTP/1.0', async () => {
    rig = await startServer();
    const body = alertText();
    const answer = await raw(rig.port, `POST / HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(rig.accepted).toBe(1);
  });

  it('chunked, in many pieces', async () => {
    rig = await startServer();
    const pieces = [...alertText()].map(char => `1\r\n${char}\r\n`);
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await raw(rig.port, head, ...pieces, '0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(rig.accepted).toBe(1);
  });

  it('with Expect: 100-continue', async () => {
    rig = await startServer();
    const request = http.request(rig.url, {
      method: 'POST',
      agent: false,
      headers: { expect: '100-continue' },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end(alertText());
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
  });

  it('with Expect: 100-continue, but too much', async () => {
    rig = await startServer({ maxBodyBytes: 10 });
    const answer = await raw(
      rig.port,
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n',
      'x'.repeat(11),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('to an absolute target, as proxies do', async () => {
    rig = await startServer();
    const answer = await raw(
      rig.port,
      'GET http://tiercel/ping?x HTTP/1.1\r\nHost: tiercel\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/pong/);
  });

  it('over one connection, one after the other and ahead of the answers', async () => {
    rig = await startServer();
    const body = alertText();
    const one = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const last = one.replace('Host: a', 'Host: a\r\nConnection: close');
    const answer = await raw(rig.port, one, one + one, last);
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(4);
    expect(rig.accepted).toBe(4);
  });

  it('idle connections are kept as long as configured', async () => {
    rig = await startServer({ keepAliveMs: 700_000 });
    const agent = new http.Agent({ keepAlive: true });
    const answer = await call(`${rig.url}/`, { method: 'POST', body: alertText(), agent });
    expect(answer.headers['keep-alive']).toBe('timeout=700');
    agent.destroy();
  });
});

describe('slow and greedy senders', () => {
  it.each([
    ['headers', 'POST / HTTP/1.1\r\nHost: a\r\n'],
    ['a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"rule"'],
  ])('%s that do not come are 408', async (_what, start) => {
    rig = await startServer({ requestTimeoutMs: 200, maxInFlight: 1 });
    expect(await raw(rig.port, start)).toMatch(/^HTTP\/1\.1 408 /);
    expect(rig.refused).toEqual(['timeout']);
    // Nothing is left of it that would count as in flight.
    expect((await post(rig.url, alertText())).status).toBe(200);
  });

  it('a connection that was opened ahead and never used ends without a word', async () => {
    rig = await startServer({ requestTimeoutMs: 200 });
    expect(await raw(rig.port)).toBe('');
    expect([rig.refused, rig.logged]).toEqual([[], []]);
  });

  it('a second request that stalls on a used connection is 408 too', async () => {
    rig = await startServer({ requestTimeoutMs: 200 });
    const body = alertText();
    const first = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    expect(await raw(rig.port, first, 'POST / HTTP/1.1\r\n')).toMatch(
      /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 408 /,
    );
  });

  it('huge headers are 431', async () => {
    rig = await startServer();
    const headers = (size: number) =>
      `GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ${'x'.repeat(size)}\r\n\r\n`;
    expect(await raw(rig.port, headers(40_000))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await raw(rig.port, headers(1_000_000))).toMatch(/^HTTP\/1\.1 431 /);
    expect(rig.refused).toEqual(['too_large']);
  });

  it('too many alerts in flight are 503 with Retry-After', async () => {
    rig = await startServer({ maxInFlight: 2 });
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    const full = Promise.withResolvers<void>();
    rig.backend.onTake = () => {
      if (++waiting === 2) full.resolve();
      return gate.promise;
    };
    const held = [post(rig.url, alertText()), post(rig.url, alertText())];
    await full.promise;
    const answer = await post(rig.url, alertText());
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect((await call(`${rig.url}/ping`)).status).toBe(200);
    gate.resolve();
    expect((await Promise.all(held)).map(one => one.status)).toEqual([200, 200]);
    expect((await post(rig.url, alertText())).status).toBe(200);
    expect([rig.refused, rig.accepted]).toEqual([['overloaded'], 3]);
  });

  it('slow large bodies cannot fill the memory together; those that come later are told to wait', async () => {
    rig = await startServer({ maxBodyBytes: 1 << 20, maxPendingBytes: 1 << 20 });
    const half = Buffer.alloc(600 << 10, ' ');
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${1 << 20}\r\n\r\n`;
    const [slow, late] = [connect(rig.port, '127.0.0.1'), connect(rig.port, '127.0.0.1')];
    slow.write(head);
    slow.write(half);
    late.write(head);
    late.write(half);
    const answers = [slow, late].map(socket => once(socket, 'data').then(([data]) => String(data)));
    expect(await Promise.race(answers)).toMatch(/^HTTP\/1.1 503 /);
    slow.destroy();
    late.destroy();
    let answer = await post(rig.url, alertText());
    while (answer.status === 503) answer = await post(rig.url, alertText());
    expect(answer.status).toBe(200);
    expect(rig.refused[0]).toBe('overloaded');
  });

  it('nor can many slow small ones; those that there is room for are taken', async () => {
    rig = await startServer({ maxBodyBytes: 1 << 20, maxPendingBytes: 1 << 20 });
    const text = alertText({ output: 'x'.repeat(60_000) });
    const request = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    const senders = Array.from({ length: 40 }, () => connect(rig.port, '127.0.0.1'));
    const answers = senders.map(socket => once(socket, 'data').then(([data]) => String(data).slice(0, 12)));
    const refused = () => rig.refused.filter(reason => reason === 'overloaded').length;
    for (const socket of senders) socket.write(request.slice(0, -5));
    while (refused() < 22) await new Promise(resolve => setTimeout(resolve, 10));
    for (const socket of senders) socket.write(request.slice(-5));
    const statuses = await Promise.all(answers);
    expect(statuses.filter(status => status === 'HTTP/1.1 503')).toHaveLength(refused());
    expect(statuses.filter(status => status === 'HTTP/1.1 200').length).toBeGreaterThan(10);
    for (const socket of senders) socket.destroy();
    await vi.waitFor(async () => expect((await post(rig.url, text)).status).toBe(200));
  });

  it('a sender that leaves in the middle of its body leaves no trace', async () => {
    rig = await startServer({ maxInFlight: 1 });
    const socket = connect(rig.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n');
    await once(socket, 'data');
    socket.resetAndDestroy();
    let answer = await post(rig.url, alertText());
    while (answer.status === 503) answer = await post(rig.url, alertText());
    expect(answer.status).toBe(200);
  });

  it('connections beyond the limit are refused and noted', async () => {
    rig = await startServer({ maxConnections: 1 });
    const first = connect(rig.port, '127.0.0.1');
    first.write('GET /ping HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(first, 'data');
    expect(await raw(rig.port, 'GET /ping HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
    expect(rig.refused).toEqual(['overloaded']);
    first.destroy();
  });
});
