import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerReader } from '../../../../src/core/http/wire/answer-reader.ts';

/** What a reader tells of the answer to one request, in pieces of the given lengths; then perhaps the end. */
function readIn(
  text: string,
  cuts: readonly number[],
  { ends = false }: { ends?: boolean } = {},
): {
  status?: number;
  headers?: object;
  body: string;
  isReusable?: boolean;
  failure?: string;
  calls: string[];
} {
  const told: ReturnType<typeof readIn> = { body: '', calls: [] };
  const reader = new AnswerReader({
    head: (status, headers) => {
      told.calls.push('head');
      told.status = status;
      told.headers = { ...headers };
    },
    data: chunk => {
      told.body += chunk.toString('latin1');
    },
    end: isReusable => {
      told.calls.push('end');
      told.isReusable = isReusable;
    },
  });
  reader.expect();
  const bytes = Buffer.from(text, 'latin1');
  try {
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      // A buffer that is used again for the next piece, as that of the connections is.
      const piece = Buffer.from(bytes.subarray(from, cut));
      if (piece.length > 0) reader.read(piece);
      piece.fill(0);
      from = Math.max(from, cut);
    }
    if (ends) reader.close();
  } catch (error) {
    told.failure = (error as { code: string }).code;
  }
  return told;
}

const read = (text: string, options?: { ends?: boolean }) => readIn(text, [], options);
const NOT_HTTP = { failure: 'WIRE_NOT_HTTP' };

const sound: [string, string, { status: number; body: string; isReusable: boolean }][] = [
  [
    'a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    { status: 200, body: 'hello', isReusable: true },
  ],
  ['no body', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { status: 200, body: '', isReusable: true }],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, body: '', isReusable: true }],
  [
    '304 with a length',
    'HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n',
    { status: 304, body: '', isReusable: true },
  ],
  ['no reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', { status: 200, body: '', isReusable: true }],
  [
    'bare line feeds',
    'HTTP/1.1 200 OK\nContent-Length: 1\n\nx',
    { status: 200, body: 'x', isReusable: true },
  ],
  [
    'the same length twice',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx',
    { status: 200, body: 'x', isReusable: true },
  ],
  [
    'chunks with extensions, upper case sizes and trailers',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n' +
      'A;a=b;c="d"\r\n0123456789\r\n000001 \r\n\n\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n',
    { status: 200, body: '0123456789\n', isReusable: true },
  ],
  [
    'others before it',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    { status: 200, body: 'ok', isReusable: true },
  ],
  [
    'a length and chunks: the chunks count, and the connection is not to be trusted',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    { status: 200, body: 'x', isReusable: false },
  ],
  [
    'the wish to close',
    'HTTP/1.1 200 OK\r\nConnection: Foo, Close\r\nContent-Length: 0\r\n\r\n',
    { status: 200, body: '', isReusable: false },
  ],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', { status: 200, body: '', isReusable: false }],
  [
    'HTTP/1.0 that stays',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
    { status: 200, body: '', isReusable: true },
  ],
  [
    'HTTP/1.0 with chunks',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    { status: 200, body: '', isReusable: false },
  ],
  [
    'more than was asked for',
    'HTTP/1.1 204 X\r\n\r\nHTTP/1.1 200 OK\r\n',
    { status: 204, body: '', isReusable: false },
  ],
  ['a body where none may be', 'HTTP/1.1 304 X\r\n\r\nbody', { status: 304, body: '', isReusable: false }],
];

describe('an answer', () => {
  test.each(sound)('with %s is read', (_name, text, expected) => {
    expect(read(text)).toMatchObject({ ...expected, calls: ['head', 'end'] });
  });

  test.each(sound.filter(([, , { isReusable }]) => isReusable))(
    'with %s is the same, wherever it is cut',
    (_name, text, expected) => {
      for (let cut = 1; cut < text.length; cut++) expect(readIn(text, [cut])).toMatchObject(expected);
      const everywhere = Array.from(text, (_char, index) => index);
      expect(readIn(text, everywhere)).toMatchObject(expected);
    },
  );

  test.each([
    ['no length', 'HTTP/1.1 200 OK\r\n\r\nto the end'],
    [
      'a coding that is not chunked at last',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nto the end',
    ],
  ])('with %s goes to the end of the connection', (_name, text) => {
    expect(read(text).calls).toEqual(['head']);
    expect(read(text, { ends: true })).toMatchObject({ status: 200, body: 'to the end', isReusable: false });
  });

  test('has its headers in lower case, lists joined, cookies apart', () => {
    const { headers } = read(
      'HTTP/1.1 204 X\r\nX-A:  1 \r\nx-a: 2\r\nSet-Cookie: a=1\r\nSET-COOKIE: b=2\r\n__proto__: p\r\nEmpty:\r\n\r\n',
    );
    expect(Object.entries(headers!)).toEqual([
      ['x-a', '1, 2'],
      ['set-cookie', ['a=1', 'b=2']],
      ['__proto__', 'p'],
      ['empty', ''],
    ]);
  });
});

test('dates and waits are told apart when there are several', () => {
  const { headers } = read(
    'HTTP/1.1 204 X\r\nRetry-After: 1\r\nDate: a, b\r\nretry-after: 2\r\nRetry-After: 3\r\n\r\n',
  );
  expect(headers).toMatchObject({ 'retry-after': ['1', '2', '3'], date: 'a, b' });
});

describe('an odd head', () => {
  test.each([
    ['a header without a colon', 'Content-Length: 2\r\nx-headers\r\n', 'ok'],
    ['a header without a name', ': x\r\nContent-Length: 2\r\n', 'ok'],
    ['a header with a space in its name', 'X Frame: 1\r\nContent-Length: 2\r\n', 'ok'],
    ['a space before the colon', 'Content-Length : 2\r\n', 'ok'],
    ['a space before the first header', ' A: b\r\nContent-Length: 2\r\n', 'ok'],
    ['a line of spaces', 'A: b\r\n \r\nContent-Length: 2\r\n', 'ok'],
    ['a control character', 'A: b\x00\r\nContent-Length: 2\r\n', 'ok'],
    ['a bare carriage return', 'A: b\rc: d\r\nContent-Length: 2\r\n', 'ok'],
    ['a folded length', 'Content-Length:\r\n 2\r\n', 'ok'],
    ['a folded coding', 'Transfer-Encoding:\r\n\tchunked\r\n', ''],
    ['what may be a header or a fold', 'A: b\r\n Content-Length: 0\r\nContent-Length: 2\r\n', 'ok'],
  ])('with %s counts, and the connection is not used again', (_name, lines, body) => {
    const text = `HTTP/1.1 200 OK\r\n${lines}\r\n${lines.includes('chunked') ? '0\r\n\r\n' : body}`;
    for (const cuts of [[], Array.from(text, (_char, index) => index)]) {
      const told = readIn(text, cuts);
      expect(told).toMatchObject({ status: 200, body, isReusable: false, calls: ['head', 'end'] });
      expect(told.failure).toBeUndefined();
    }
  });

  test.each([
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n'],
    ['a negative length', 'Content-Length: -1\r\n'],
    ['a length with a sign', 'Content-Length: +1\r\n'],
    ['an endless length', 'Content-Length: 9999999999999999\r\n'],
    ['no length where there should be one', 'Content-Length:\r\n'],
  ])('with %s counts, without its body', (_name, lines) => {
    const told = read(`HTTP/1.1 200 OK\r\n${lines}\r\nok`);
    expect(told).toMatchObject({ ...NOT_HTTP, status: 200, body: '', calls: ['head'] });
  });

  test('of an announcement counts for the connection, too', () => {
    const text = 'HTTP/1.1 103 X\r\nodd\r\n\r\nHTTP/1.1 204 X\r\n\r\n';
    expect(read(text)).toMatchObject({ status: 204, isReusable: false });
  });

  test.each(['Content-Length: 2', 'Transfer-Encoding: chunked'])(
    'with a body where none may be (%s) is not waited for it',
    line => {
      expect(read(`HTTP/1.1 204 X\r\n${line}\r\n\r\n`)).toMatchObject({ status: 204, isReusable: false });
    },
  );
});

test.each([
  ['A: b\r\n c\r\n\t d \r\n', { a: 'b c d' }],
  ['A:\r\n b\r\nA: c\r\n d\r\n', { a: 'b, c d' }],
  ['Set-Cookie: a\r\n b\r\n', { 'set-cookie': ['a b'] }],
])('a folded header is read as one line: %j', (lines, headers) => {
  const told = read(`HTTP/1.1 204 X\r\n${lines}\r\n`);
  expect(told).toMatchObject({ headers, isReusable: true });
});

test.each([
  ['headers', 'x: y\r\n'.repeat(20_000)],
  ['a header', `x: ${'y'.repeat(80_000)}`],
])('a status counts although its %s have no end, with the headers before', (_name, lines) => {
  const text = `HTTP/1.1 503 X\r\nRetry-After: 7\r\n${lines}`;
  for (const step of [1000, 65_536, 1e6]) {
    const cuts = Array.from({ length: Math.ceil(text.length / step) }, (_, index) => index * step);
    const told = readIn(text, cuts);
    expect(told).toMatchObject({ status: 503, headers: { 'retry-after': '7' } });
    expect(told.failure).toBe('WIRE_HEADERS_OVERFLOW');
  }
});

test('a head of 60 KB is read like any other', () => {
  const text = `HTTP/1.1 200 OK\r\nPolicy: ${'p'.repeat(60_000)}\r\nContent-Length: 2\r\n\r\nok`;
  expect(readIn(text, [30_000])).toMatchObject({ status: 200, body: 'ok', isReusable: true });
});

describe('no answer', () => {
  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['the beginning of another protocol', 'HTT\r'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of nothing', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a carriage return in the status line', 'HTTP/1.1 200 O\rK\r\n\r\n'],
  ])('is %s', (_name, text) => {
    expect(read(text)).toMatchObject({ ...NOT_HTTP, calls: [] });
  });

  test.each([
    '-1\r\n',
    '+1\r\nx\r\n',
    'x\r\n',
    '\r\n',
    '1 1\r\n',
    '1000000000000\r\n',
    '1\r\nxx\r\n',
    '1\r\nx0\r\n',
  ])('is a body in bad chunks: %j', chunks => {
    expect(read(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)).toMatchObject({
      ...NOT_HTTP,
      calls: ['head'],
    });
  });

  test.each([
    ['announcements', `HTTP/1.1 103 X\r\n${'x: y\r\n'.repeat(20_000)}`],
    ['a chunk’s extension', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'e'.repeat(5_000)}`],
    ['trailers', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(5_000)}`],
  ])('is one whose %s have no end', (_name, text) => {
    for (const step of [1000, 65_536]) {
      const cuts = Array.from({ length: Math.ceil(text.length / step) }, (_, index) => index * step);
      expect(readIn(text, cuts).failure).toBe('WIRE_HEADERS_OVERFLOW');
    }
  });

  test('is a status line without end', () => {
    const text = `HTTP/1.1 200 ${'x'.repeat(70_000)}`;
    expect(readIn(text, [40_000])).toMatchObject({ ...NOT_HTTP, calls: [] });
    expect(readIn(text, [40_000]).status).toBeUndefined();
  });

  test.each([
    '',
    'HTTP/1.',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 307 X\r\nContent-Length: 0\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n',
    'HTTP/1.1 103 X\r\n\r\n',
  ])('is one that breaks off: %j', text => {
    expect(read(text, { ends: true })).toMatchObject({ failure: 'WIRE_CLOSED' });
  });

  test('is what comes unasked', () => {
    const reader = new AnswerReader({ head: () => {}, data: () => {}, end: () => {} });
    expect(() => reader.read(Buffer.from('HTTP/1.1 408 X\r\n\r\n'))).toThrow('more came');
    reader.close();
  });
});

// Answers as they may be, with the body that is meant.
const body = fc.string({ unit: 'binary-ascii', maxLength: 300 });
const chunked = fc
  .tuple(
    fc.array(
      body.filter(text => text !== ''),
      { maxLength: 5 },
    ),
    fc.constantFrom('', ';x', ' ;y="z"'),
  )
  .map(([parts, extension]) => ({
    body: parts.join(''),
    text: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${parts
      .map(part => `${part.length.toString(16)}${extension}\r\n${part}\r\n`)
      .join('')}0\r\n\r\n`,
  }));
const sized = body.map(text => ({
  body: text,
  text: `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
}));
const places = fc.array(fc.nat(600), { maxLength: 12 }).map(all => all.toSorted((a, b) => a - b));

test('any body is read as it was sent, in whatever pieces', () => {
  fc.assert(
    fc.property(fc.oneof(chunked, sized), places, ({ text, body: expected }, cuts) => {
      expect(readIn(text, cuts)).toMatchObject({ status: 200, body: expected, isReusable: true });
    }),
    { numRuns: 500 },
  );
});

test('noise is refused or waited on, never a crash; and cutting it differently tells nothing else', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 100 X\r\n\r\n',
      'Content-Length: 3\r\n',
      '\r\n',
      '\n',
      '\r',
    ),
    fc.constantFrom('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n', '0\r\n\r\n', 'A: b\r\n', ' ', ':', 'x'),
    fc.string({ unit: 'binary-ascii', maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), places, (pieces, cuts) => {
      const text = pieces.join('');
      const [whole, cut] = [read(text), readIn(text, cuts)];
      expect([undefined, 'WIRE_NOT_HTTP']).toContain(whole.failure);
      // What is left over after an answer shows at once, or when it comes.
      expect({ ...cut, isReusable: undefined, failure: undefined }).toEqual({
        ...whole,
        isReusable: undefined,
        failure: undefined,
      });
    }),
    { numRuns: 1000 },
  );
});
