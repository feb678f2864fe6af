import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { retryAfterMs } from '../../../src/core/http/verdict.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, answer, HttpSink, type Reply } from '../../support/http-sink.ts';

let sink: HttpSink;
beforeEach(async () => {
  sink = await HttpSink.listen();
});
afterEach(async () => {
  await closeClients();
  await sink.close();
});

const post = (path = '/', more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'POST',
  url: sink.origin + path,
  headers: { 'content-type': 'text/plain' },
  body: 'hello',
  ...more,
});
describe('requests', () => {
  test('go out as they were described', async () => {
    await clientOf().send(post('/a/b?c=d', { method: 'PUT', body: Buffer.from('möp') }), patience());
    expect(sink.requests).toMatchObject([
      {
        method: 'PUT',
        target: '/a/b?c=d',
        body: 'möp',
        headers: { 'content-type': 'text/plain', 'content-length': '4', 'user-agent': 'Falcosidekick' },
      },
    ]);
    expect(sink.requests[0]!.headers.host).toBe(`127.0.0.1:${sink.port}`);
  });

  test('custom headers win over the output’s, in any case and with any text, but not over those of the connection', async () => {
    const client = clientOf({
      headers: {
        'Content-Type': 'text/x',
        'X-Size': 'groß',
        Host: 'me.example',
        'User-Agent': 'me',
        'Content-Length': '1',
      },
    });
    await client.send(post(), patience());
    expect(sink.requests[0]!.headers).toMatchObject({
      'content-type': 'text/x',
      'x-size': 'groß',
      host: `127.0.0.1:${sink.port}`,
      'user-agent': 'me',
      'content-length': '5',
    });
  });

  test('headers go out as UTF-8', async () => {
    await clientOf().send(post('/', { headers: { 'x-size': 'groß 日 🔥' } }), patience());
    expect(sink.requests[0]!.headers).toMatchObject({ 'x-size': 'groß 日 🔥' });
  });

  test('custom headers that no request can hold are refused at the start, without their value', () => {
    expect(() => clientOf({ headers: { 'a b': 'x' } })).toThrow('"a b": not a header name');
    expect(() => clientOf({ headers: { token: 'secret\r\nx: y' } })).toThrow(/^(?!.*secret).*token/s);
  });

  test('user name and password of a URL become a header', async () => {
    await clientOf().send(post('/', { url: `http://us%40er:p%3Aw@127.0.0.1:${sink.port}/x` }), patience());
    expect(sink.requests[0]!.headers.authorization).toBe(`Basic ${btoa('us@er:p:w')}`);
    expect(sink.requests[0]!.target).toBe('/x');
  });

  test.each(['nonsense', '/path', 'ftp://host/', ''])('the address %j is refused for good', async url => {
    const error = await failureOf(clientOf().send(post('/', { url }), patience()));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error).toMatchObject({ reason: 'payload' });
  });

  test('a header that cannot be sent is refused for good', async () => {
    const error = await failureOf(clientOf().send(post('/', { headers: { 'x-rule': 'a\nb' } }), patience()));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error).toMatchObject({ reason: 'payload' });
    expect(sink.requests).toEqual([]);
  });
});

describe('connections', () => {
  test('are used again', async () => {
    const client = clientOf();
    for (let index = 0; index < 20; index++) await client.send(post(), patience());
    // undici frees a connection a moment after its answer; the next request may have opened a second one.
    expect(sink.connections).toBeLessThanOrEqual(2);
  });

  test('are no more than allowed', async () => {
    const client = clientOf({}, { connections: 3 });
    await Promise.all(Array.from({ length: 20 }, () => client.send(post(), patience())));
    expect(sink.requests).toHaveLength(20);
    expect(sink.connections).toBeLessThanOrEqual(3);
  });

  test('an answer is read to its end even when it is long, so that its connection can be used again', async () => {
    sink.reply = always(200, 'x'.repeat(300_000));
    const client = clientOf({}, { connections: 1 });
    const { body } = await client.send(post(), patience());
    expect(body).toBe('x'.repeat(65_536));
    await client.send(post(), patience());
    expect(sink.connections).toBe(1);
  });

  test('a kept connection that the far side has closed is replaced', async () => {
    const client = clientOf({}, { connections: 1 });
    await client.send(post(), patience());
    for (const socket of sink.open) socket.end();
    await sink.until(() => sink.open.size === 0);
    expect((await client.send(post(), patience())).status).toBe(200);
    expect(sink.connections).toBe(2);
  });

  test('may be closed after each answer without a word: no request fails by it', async () => {
    sink.reply = (_request, socket) => void socket.end(answer(200, 'ok'));
    const client = clientOf({}, { connections: 4 });
    const all = await Promise.all(Array.from({ length: 50 }, () => client.send(post(), patience())));
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
  });

  test('end with the client; closing twice does no harm', async () => {
    const client = clientOf();
    await client.send(post(), patience());
    await Promise.all([client.close(), client.close()]);
    await sink.until(() => sink.open.size === 0);
    expect(await failureOf(client.send(post(), patience()))).toBeInstanceOf(RetriableError);
  });
});

describe('answers', () => {
  test('come with status, headers and body', async () => {
    sink.reply = always(418, 'short and stout', { 'X-Pot': 'tea', 'retry-after': '5' });
    const response = await clientOf().send(post(), patience());
    expect(response).toMatchObject({
      status: 418,
      headers: { 'x-pot': 'tea', 'retry-after': '5' },
      body: 'short and stout',
    });
  });

  test('are kept up to 64 KiB, or to what the request says', async () => {
    sink.reply = always(200, 'x'.repeat(2_000_000));
    const lengthOf = async (more: Partial<HttpRequest>) =>
      (await clientOf().send(post('/', more), patience())).body.length;
    expect(await lengthOf({})).toBe(64 * 1024);
    expect(await lengthOf({ maxAnswerBytes: 3_000_000 })).toBe(2_000_000);
  });

  test('may be announced by others', async () => {
    sink.reply = (_request, socket) =>
      void socket.write(answer(103, '', { link: '</x>' }) + answer(200, 'ok'));
    expect(await clientOf().send(post(), patience())).toMatchObject({ status: 200, body: 'ok' });
  });

  const scripted: [string, Reply, Partial<HttpResponse>][] = [
    [
      'in chunks',
      (_request, socket) =>
        void socket.write(
          'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
        ),
      { status: 200, body: 'abc' },
    ],
    [
      'up to the end of the connection',
      (_request, socket) => void socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end'),
      { status: 200, body: 'until the end' },
    ],
    [
      'in pieces',
      (_request, socket) => {
        const text = answer(200, 'piece by piece');
        let at = 0;
        const next = () => {
          socket.write(text.slice(at, ++at));
          if (at < text.length) setImmediate(next);
        };
        next();
      },
      { status: 200, body: 'piece by piece' },
    ],
    [
      'broken off: the status has been said',
      (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'),
      { status: 200, body: 'only this' },
    ],
    [
      'reset in their middle: the status has been said',
      (_request, socket) => {
        socket.write('HTTP/1.1 503 X\r\ncontent-length: 100\r\n\r\nonly');
        setTimeout(() => socket.resetAndDestroy(), 20);
      },
      { status: 503 },
    ],
    [
      'that stall: the status has been said',
      (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'),
      { status: 200, body: 'only this' },
    ],
    [
      'without end: cut',
      (_request, socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = () => {
          while (!socket.destroyed && socket.write('y'.repeat(65_536)));
        };
        socket.on('drain', more);
        more();
      },
      { status: 200, body: 'y'.repeat(65_536) },
    ],
    [
      'with a folded header, as nginx sends a value of several lines',
      (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\nX-Policy: a;\r\n  b;\r\n  c\r\nContent-Length: 2\r\n\r\nok'),
      { status: 200, body: 'ok', headers: { 'x-policy': 'a; b; c', 'content-length': '2' } },
    ],
    [
      'with a line that is no header: the status has been said',
      (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\nX Frame: 1\r\nnone\r\nContent-Length: 2\r\n\r\nok'),
      { status: 200, body: 'ok' },
    ],
    [
      'with two lengths: the status has been said',
      (_request, socket) =>
        void socket.write('HTTP/1.1 400 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok'),
      { status: 400, body: '' },
    ],
    [
      'with 17 KB of headers',
      (_request, socket) => void socket.write(answer(200, 'ok', { policy: 'p'.repeat(17_000) })),
      { status: 200, body: 'ok' },
    ],
    [
      'whose headers have no end: the status has been said',
      (_request, socket) => void socket.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(50_000)}`),
      { status: 200, body: '' },
    ],
  ];
  test.each(scripted)('%s', async (_name, reply, expected) => {
    sink.reply = reply;
    expect(await clientOf({}, { bodyTimeoutMs: 200 }).send(post(), patience())).toMatchObject(expected);
  });
});

test('a wait that is asked for twice is heard', async () => {
  sink.reply = (_request, socket) =>
    void socket.write('HTTP/1.1 503 X\r\nRetry-After: 120\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n');
  expect(retryAfterMs(await clientOf().send(post(), patience()), Date.now())).toBe(120_000);
});

test('a connection with an odd answer is not used again; one with a folded header is', async () => {
  const client = clientOf({}, { connections: 1 });
  for (const [line, connections] of [
    ['X: a\r\n b', 1],
    ['X a: b', 2],
    ['X: a', 3],
  ] as const) {
    sink.reply = (_request, socket) =>
      void socket.write(`HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: 0\r\n\r\n`);
    await client.send(post(), patience());
    await client.send(post(), patience());
    expect(sink.connections).toBe(connections);
  }
});

describe('no answer', () => {
  const scripted: [string, Reply, RegExp][] = [
    ['a connection that is reset', (_request, socket) => void socket.resetAndDestroy(), /reset/],
    ['a connection that is closed', (_request, socket) => void socket.end(), /closed/],
    ['half a header', (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\nserv'), /closed/],
    [
      'half the headers of a redirect',
      (_request, socket) => void socket.end('HTTP/1.1 307 X\r\nloc'),
      /closed/,
    ],
    ['nonsense', (_request, socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n'), /not HTTP/],
    [
      'an endless announcement',
      (_request, socket) => void socket.write(`HTTP/1.1 103 X\r\n${'x: y\r\n'.repeat(50_000)}`),
      /too large/,
    ],
  ];
  test.each(scripted)('%s is worth another try', async (_name, reply, text) => {
    sink.reply = reply;
    const error = await failureOf(clientOf().send(post('/secret-path?secret=1'), patience()));
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({ reason: 'network', message: expect.stringMatching(text) });
    expect(error!.message).toContain(sink.origin);
    expect(error!.message).not.toContain('secret');
    sink.reply = always(200);
    expect((await clientOf().send(post(), patience())).status).toBe(200);
  });

  test('a refused connection and an unknown name are told apart', async () => {
    const closed = await HttpSink.listen();
    await closed.close();
    const refused = await failureOf(clientOf().send(post('/', { url: closed.origin }), patience()));
    expect(refused).toMatchObject({ reason: 'network', message: expect.stringContaining('refused') });
    const unknown = await failureOf(
      clientOf().send(post('/', { url: 'http://nowhere.invalid/' }), patience()),
    );
    expect(unknown).toMatchObject({ reason: 'network', message: expect.stringContaining('name') });
  });

  test('a signal ends the wait at once, and the connection with it', async () => {
    sink.reply = () => {};
    const caller = new AbortController();
    const sent = failureOf(clientOf().send(post(), caller.signal));
    await sink.until(() => sink.requests.length === 1);
    caller.abort(new RetriableError('no answer within 10 s', { reason: 'timeout' }));
    expect(await sent).toMatchObject({ reason: 'timeout', message: 'no answer within 10 s' });
    await sink.until(() => sink.ended.has(1));
  });

  test('a signal that has aborted before sends nothing', async () => {
    const error = await failureOf(clientOf().send(post(), AbortSignal.abort()));
    expect(error).toMatchObject({ reason: 'timeout' });
    expect(sink.connections).toBe(0);
  });

  test('a signal ends the wait for a connection, too', async () => {
    sink.reply = () => {};
    const client = clientOf({}, { connections: 1 });
    const first = new AbortController();
    const second = new AbortController();
    const both = [
      failureOf(client.send(post(), first.signal)),
      failureOf(client.send(post(), second.signal)),
    ];
    await sink.until(() => sink.requests.length === 1);
    second.abort();
    expect(await both[1]).toMatchObject({ reason: 'timeout' });
    first.abort();
    await both[0];
    await sink.until(() => sink.ended.has(1));
    expect(sink.requests).toHaveLength(1);
  });
});
