import { describe, expect, test } from 'vitest';
import { RequestEncoder, type WireRequest } from '../../../../src/core/http/wire/request.ts';

const PLAIN: WireRequest = { method: 'POST', path: '/', headers: [], body: undefined };

const encode = (over: Partial<WireRequest> = {}, host = 'a.example') =>
  new RequestEncoder(host).encode({ ...PLAIN, ...over }).toString('latin1');

describe('a request', () => {
  test('is one piece, with its length in bytes', () => {
    expect(encode({ path: '/x?y', headers: ['a', 'b'], body: 'ä€' })).toBe(
      'POST /x?y HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive\r\na: b\r\ncontent-length: 5\r\n\r\n' +
        Buffer.from('ä€').toString('latin1'),
    );
    expect(encode({ body: 'a\0~\x7f' })).toMatch(/content-length: 4\r\n\r\na\0~\x7f$/);
    expect(encode({ body: '\x80' })).toMatch(/content-length: 2\r\n\r\n\xc2\x80$/);
    expect(encode({ body: Buffer.from([0, 255]) })).toMatch(/content-length: 2\r\n\r\n\0ÿ$/);
  });

  test.each([
    ['POST', true],
    ['PUT', true],
    ['PATCH', true],
    ['GET', false],
    ['DELETE', false],
  ])('%s without a body says so: %s', (method, says) => {
    expect(encode({ method }).includes('content-length: 0\r\n')).toBe(says);
  });

  test('has its own host, or that of the origin, once', () => {
    expect(encode({}, '[::1]:8080')).toContain('\r\nhost: [::1]:8080\r\n');
    expect(encode({ headers: ['host', 'me'] }).match(/host: .*/g)).toEqual(['host: me']);
  });

  test('has its headers in UTF-8, as Go sends them', () => {
    const utf8 = Buffer.from('\tgroß 日 🔥').toString('latin1');
    expect(encode({ headers: ['x', '\tgroß 日 🔥'] })).toContain(`x: ${utf8}\r\n`);
    // Their lower bytes are line ends.
    expect(encode({ headers: ['x', '\u010d\u010a'] })).toContain('x: \xc4\x8d\xc4\x8a\r\n');
  });

  test('is the same whatever was sent before it', () => {
    const encoder = new RequestEncoder('a.example');
    const requests: Partial<WireRequest>[] = [
      { body: 'one' },
      { body: 'more' },
      { body: undefined },
      { method: 'GET' },
      { method: 'GET', path: '/b' },
      { path: '/b', headers: ['x', '1'] },
      { path: '/b', headers: ['x', '2'] },
      { path: '/b', headers: ['y', '2'] },
      { path: '/b', headers: ['y', '2', 'z', '3'] },
      { path: '/b', headers: ['y', '2'] },
    ];
    for (const request of requests) {
      expect(encoder.encode({ ...PLAIN, ...request }).toString('latin1')).toBe(encode(request));
    }
  });

  const unsound = ['a\r\nb: c', 'a\nb', 'a\rb', 'a\0', 'a\x7f', 'a\x1f'];
  test.each(unsound)('refuses the header value %j, and does not repeat it', value => {
    expect(() => encode({ headers: ['x-name', value] })).toThrow(
      expect.objectContaining({ code: 'WIRE_INVALID_REQUEST', message: expect.not.stringContaining(value) }),
    );
  });

  test.each(['', 'a b', 'a:', 'a\r\n', 'ä', '\0'])('refuses the header name %j', name => {
    expect(() => encode({ headers: [name, 'x'] })).toThrow(
      expect.objectContaining({ code: 'WIRE_INVALID_REQUEST' }),
    );
  });

  test.each(['/a b', '/ HTTP/1.1\r\nx: y\r\n\r\n', '/\0', '/ä'])('refuses the path %j', path => {
    expect(() => encode({ path })).toThrow(expect.objectContaining({ code: 'WIRE_INVALID_REQUEST' }));
  });
});
