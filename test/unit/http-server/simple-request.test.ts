import http from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSimpleHead } from '../../../src/core/http-server/simple-request.ts';

const head = (...lines: string[]) => `${['POST / HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n`;
const HOST = 'Host: a';
const LENGTH = 'Content-Length: 5';

describe('a simple request', () => {
  test('is what Falco sends', () => {
    const text = head(
      'Host: tiercel:2801',
      'User-Agent: Falco/0.41',
      'Accept: */*',
      'Content-Type: application/json',
      'Content-Length: 1234',
    );
    expect(readSimpleHead(text)).toEqual({
      headBytes: text.length,
      bodyBytes: 1234,
      keepAlive: true,
      authorization: undefined,
      userAgent: 'Falco/0.41',
      forwardedFor: undefined,
    });
  });

  test.each([
    [['Connection: close'], { keepAlive: false }],
    [['connection:Keep-Alive \t'], { keepAlive: true }],
    [['AUTHORIZATION: \t Bearer  x \t '], { authorization: 'Bearer  x' }],
    [['User-Agent:'], { userAgent: '' }],
    [['Content-Type: text/plain; charset=utf-8'], { bodyBytes: 5 }],
    [['Content-Type: APPLICATION/json'], { bodyBytes: 5 }],
    [['Accept-Encoding: gzip'], { bodyBytes: 5 }],
    [['X-Forwarded-For: 10.0.0.1', 'X-Request-Id: 7'], { forwardedFor: '10.0.0.1' }],
  ])('may have %j', (lines, expected) => {
    expect(readSimpleHead(head(HOST, LENGTH, ...lines))).toMatchObject(expected);
  });
});

describe('not simple is', () => {
  test.each([
    ['no host', head(LENGTH)],
    ['two hosts', head(HOST, HOST, LENGTH)],
    ['no length', head(HOST)],
    ['a length twice', head(HOST, LENGTH, LENGTH)],
    ['two lengths', head(HOST, LENGTH, 'content-length: 6')],
    ['another path', head(HOST, LENGTH).replace('/ ', '/test ')],
    ['a query', head(HOST, LENGTH).replace('/ ', '/? ')],
    ['a whole URL', head(HOST, LENGTH).replace('/ ', 'http://a/ ')],
    ['another method', head(HOST, LENGTH).replace('POST', 'PUT')],
    ['a method in lower case', head(HOST, LENGTH).replace('POST', 'post')],
    ['HTTP/1.0', head(HOST, LENGTH).replace('1.1', '1.0')],
    ['HTTP/2', head(HOST, LENGTH).replace('1.1', '2.0')],
    ['two spaces in the request line', head(HOST, LENGTH).replace('POST ', 'POST  ')],
    ['a space behind the request line', head(HOST, LENGTH).replace('1.1', '1.1 ')],
    ['an empty line before it', `\r\n${head(HOST, LENGTH)}`],
    ['a line feed as the end of a line', head(HOST, LENGTH).replace('a\r\n', 'a\n')],
    ['a line feed within a value', head(HOST, LENGTH, 'User-Agent: a\nTransfer-Encoding: chunked')],
    ['a carriage return within a value', head(HOST, LENGTH, 'User-Agent: a\rb')],
    ['a folded line', head(HOST, LENGTH, 'User-Agent: a', ' b')],
    ['a folded line with a colon', head(HOST, LENGTH, ' User-Agent: a')],
    ['a space before the colon', head(HOST, 'Content-Length : 5')],
    ['a header without a colon', head('HostX', LENGTH)],
    ['a header without a name', head(HOST, LENGTH, ': x')],
    ['NUL in a value', head(HOST, LENGTH, 'User-Agent: \0')],
    ['DEL in a value', head(HOST, LENGTH, 'User-Agent: \x7f')],
    ['bytes that are not ASCII', head(HOST, LENGTH, 'User-Agent: \xe4')],
    ['a name that only looks like a known one', head(HOST, 'Content\x96Length: 5', LENGTH)],
    ['a type that is neither', head(HOST, LENGTH, 'Content-Type: application/cloudevents+json')],
    ['a type that begins like one', head(HOST, LENGTH, 'Content-Type: application/jsonx')],
    ['an empty list of connection options', head(HOST, LENGTH, 'Connection:')],
  ])('%s', (_name, text) => {
    expect(readSimpleHead(text)).toBeUndefined();
  });

  test.each(['+5', '-5', '5 5', '5,5', '5, 5', '05', '0x5', '5.0', '5e0', '', '65537', '99999999999', '٥'])(
    'a length of %j',
    length => {
      expect(readSimpleHead(head(HOST, `Content-Length: ${length}`))).toBeUndefined();
    },
  );

  test.each([
    'Transfer-Encoding: chunked',
    'transfer-encoding: identity',
    'TRANSFER-ENCODING:\tchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: xchunked',
    'Content-Encoding: gzip',
    'Expect: 100-continue',
    'Upgrade: h2c',
    'Trailer: x',
    'ce-specversion: 1.0',
    'Connection: upgrade',
    'Connection: keep-alive, close',
    'Connection: close, content-length',
    'Cookie: a=b',
  ])('the header %j', line => {
    expect(readSimpleHead(head(HOST, LENGTH, line))).toBeUndefined();
  });
});

test('a head that is made to take long does not', () => {
  const spaces = ' \t'.repeat(30_000);
  for (let round = 0; round < 200; round++) {
    expect(readSimpleHead(head(HOST, LENGTH, `User-Agent:${spaces}\0`))).toBeUndefined();
    expect(readSimpleHead(head(HOST, LENGTH, `User-Agent: a${spaces}\0`))).toBeUndefined();
  }
});

/** What node:http reads in these bytes, as one request and nothing else; undefined when it refuses or waits for more. */
function judge(text: string): Promise<http.IncomingMessage | undefined> {
  return new Promise(resolve => {
    const server = http.createServer(request => {
      request.on('end', () => resolve(request)).resume();
    });
    server.on('checkContinue', () => resolve(undefined));
    server.on('clientError', () => resolve(undefined));
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    stream.on('error', () => resolve(undefined));
    server.emit('connection', stream);
    stream.push(Buffer.from(text, 'latin1'));
    stream.push(null);
  });
}

test('what is taken for simple, node:http reads in the same way', async () => {
  const line = fc.constantFrom(
    ...[
      'Host: a',
      'host:',
      'Content-Length: 3',
      'Content-Length: 3',
      'content-length:\t3 \t',
      'Content-Length: +3',
    ],
    ...['Connection: close', 'Connection: keep-alive\t', 'CONNECTION:CLOSE', 'Connection: close, x'],
    ...['User-Agent: a b\tc', 'Accept: */*', 'Authorization: Bearer x', 'Content-Type: text/plain'],
    ...['Transfer-Encoding: chunked', 'Expect: 100-continue', 'Content-Length : 3', ' folded', 'X: y', ': z'],
  );
  const ending = fc.oneof(
    { weight: 30, arbitrary: fc.constant('\r\n') },
    fc.constantFrom('\n', '\r', '\r\r\n', '\r\n '),
  );
  const start = fc.oneof(
    { weight: 9, arbitrary: fc.constant('POST / HTTP/1.1') },
    fc.constantFrom('post / HTTP/1.1', 'POST / HTTP/1.0', 'POST http://a/ HTTP/1.1', 'POST  / HTTP/1.1'),
  );
  const sound = fc.constantFrom<string[]>([], ['Host: h'], ['Host: h', 'Content-Length: 3']);
  const noise = fc.option(fc.tuple(fc.nat(200), fc.string({ unit: 'binary', maxLength: 1 })), { freq: 4 });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(
      start,
      sound,
      fc.array(fc.tuple(line, ending), { maxLength: 6 }),
      noise,
      async (...parts) => {
        const [first, base, lines, spot] = parts;
        let text = [first, ...base].map(one => `${one}\r\n`).join('');
        text += `${lines.map(([one, end]) => one + end).join('')}\r\n`;
        if (spot) text = text.slice(0, spot[0]) + spot[1] + text.slice(spot[0]);
        text = Buffer.from(text, 'latin1').toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        const simple = end < 0 ? undefined : readSimpleHead(text.slice(0, end + 4));
        if (!simple) return;
        taken++;
        const request = await judge(`${text.slice(0, end + 4)}${'b'.repeat(simple.bodyBytes)}`);
        expect(request).toMatchObject({ method: 'POST', url: '/', httpVersion: '1.1', complete: true });
        const { headers } = request!;
        expect(headers).not.toHaveProperty('transfer-encoding');
        expect({
          headBytes: end + 4,
          bodyBytes: Number(headers['content-length']),
          keepAlive: headers.connection?.toLowerCase() !== 'close',
          authorization: headers.authorization,
          userAgent: headers['user-agent'],
          forwardedFor: headers['x-forwarded-for'],
        }).toEqual(simple);
      },
    ),
    { numRuns: 5000 },
  );
  expect(taken).toBeGreaterThan(200);
});
