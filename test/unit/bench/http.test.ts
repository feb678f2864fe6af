import { describe, expect, test } from 'vitest';
import { type Head, MessageReader, parseHead, readChunks } from '../../../bench/http.ts';

test.each([
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { status: 200, bodyBytes: 5, keepAlive: true }],
  ['HTTP/1.1 204 No Content\r\n\r\n', { status: 204, bodyBytes: 0, keepAlive: true }],
  ['HTTP/1.1 200 OK\r\n\r\n', { status: 200, keepAlive: false }],
  ['HTTP/1.0 200 OK\r\ncontent-length:0\r\n\r\n', { keepAlive: false }],
  ['HTTP/1.1 503 No\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n', { status: 503, keepAlive: false }],
  [
    'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
    { status: 0, bodyBytes: undefined, keepAlive: true },
  ],
  [
    'POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\n\r\n',
    { isGzip: true, wantsContinue: true },
  ],
])('the head %j', (text, expected) => expect(parseHead(text)).toMatchObject(expected));

describe('messages', () => {
  const stream = Buffer.from(
    'HTTP/1.1 100 Continue\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' +
      'HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n' +
      'HTTP/1.1 204 None\r\n\r\n',
  );

  test.each([1, 2, 7, 1000])('come out whole from pieces of %d bytes', size => {
    const got: string[] = [];
    const reader = new MessageReader(new Map<string, Head>(), ({ status }, body) =>
      got.push(`${status} ${body}`),
    );
    for (let at = 0; at < stream.length; at += size) reader.feed(stream.subarray(at, at + size));
    expect(got).toEqual(['200 ok', '500 bad', '204 ']);
  });

  test('the wish to go on is seen before the body', () => {
    let asked = 0;
    const reader = new MessageReader(
      new Map<string, Head>(),
      () => {},
      () => asked++,
    );
    reader.feed(Buffer.from('POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n'));
    expect(asked).toBe(1);
  });
});

test('chunks are put together, and awaited', () => {
  const bytes = Buffer.from('xx5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\nnext');
  const { body, end } = readChunks(bytes, 2)!;
  expect(body.toString()).toBe('hello world');
  expect(bytes.toString('latin1', end)).toBe('next');
  for (let length = 2; length < end; length++)
    expect(readChunks(bytes.subarray(0, length), 2)).toBeUndefined();
});
