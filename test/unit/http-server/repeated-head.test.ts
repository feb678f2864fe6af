import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RepeatedHead } from '../../../src/core/http-server/repeated-head.ts';
import { readSimpleHead } from '../../../src/core/http-server/simple-request.ts';

const head = (...lines: string[]) => `${['POST / HTTP/1.1', ...lines].join('\r\n')}\r\n\r\n`;
const withLength = (length: string) =>
  head('Host: a', `content-LENGTH: \t${length}`, 'Authorization: Bearer x', 'Connection: close');

function repeated(text: string): RepeatedHead {
  return new RepeatedHead(text, readSimpleHead(text)!);
}

const read = (known: string, text: string) => repeated(known).read(Buffer.from(text, 'latin1'));

describe('a head that was read before', () => {
  test.each(['7', '0', '1234', '65536'])('is known again with the length %s', length => {
    const text = withLength(length);
    expect(read(withLength('512'), `${text}{"rule":1}${text}`)).toEqual(readSimpleHead(text));
  });

  test.each([
    ['a length that is too large', withLength('65537')],
    ['a length of many digits', withLength('100000000000000000007')],
    ['a length that begins with a zero', withLength('07')],
    ['no length', withLength('')],
    ['a sign before the length', withLength('+7')],
    ['a fraction', withLength('7.0')],
    ['another token', withLength('7').replace('Bearer x', 'Bearer y')],
    ['another method', withLength('7').replace('POST', 'GOST')],
    ['one header more', withLength('7').replace('\r\n\r\n', '\r\nX-Request-Id: 1\r\n\r\n')],
    ['one header less', withLength('7').replace('\r\nConnection: close', '')],
    ['half of itself', withLength('7').slice(0, 40)],
    ['all but its last byte', withLength('7').slice(0, -1)],
    ['an end in its length', 'POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: \t5'],
    ['nothing', ''],
  ])('is not %s', (_name, text) => {
    expect(read(withLength('512'), text)).toBeUndefined();
  });
});

/** All but the length. */
const shape = (text: string) => text.replace(/\d+/g, '#');

test('whatever a repeated head says of a request, reading it says too', () => {
  const lines = fc.subarray(['User-Agent: f', 'Accept: */*', 'Connection: close', 'X-Request-Id: 42']);
  const length = fc.oneof(
    fc.nat(70_000).map(String),
    fc.stringMatching(/^[0-9 ]{0,10}$/),
    fc.constantFrom('-1', '0x1', '1e3', '5\r\nHost: b'),
  );
  const request = fc
    .tuple(lines, length, fc.boolean())
    .map(([more, digits, isFirst]) =>
      isFirst
        ? head(`Content-Length: ${digits}`, 'Host: a', ...more)
        : head('Host: a', ...more, `Content-Length: ${digits}`),
    );
  fc.assert(
    fc.property(request, request, (known, text) => {
      const first = readSimpleHead(known);
      fc.pre(first !== undefined);
      const found = new RepeatedHead(known, first!).read(Buffer.from(`${text}{}`, 'latin1'));
      const read = readSimpleHead(text);
      if (found) expect(found).toEqual(read);
      else if (read) expect(shape(text)).not.toBe(shape(known));
    }),
    { numRuns: 2_000 },
  );
});
