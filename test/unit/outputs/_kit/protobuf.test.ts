import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encode, type MessageType } from '../../../../src/outputs/_kit/protobuf.ts';

const inner: MessageType = { text: { number: 2, type: 'string' } };
const type: MessageType = {
  number: { number: 1, type: 'uint' },
  text: { number: 2, type: 'string' },
  inner: { number: 3, type: inner },
  flag: { number: 4, type: 'bool' },
  list: { number: 5, type: 'string', many: true },
  fixed: { number: 6, type: 'fixed64' },
  small: { number: 7, type: 'fixed32' },
  bytes: { number: 8, type: 'bytes' },
  real: { number: 9, type: 'double' },
  far: { number: 2000, type: inner, many: true },
};

describe('encode', () => {
  // The first three stand in protobuf.dev/programming-guides/encoding.
  test.each([
    [{ number: 150 }, '089601'],
    [{ text: 'testing' }, '120774657374696e67'],
    [{ inner: { text: 'x' } }, '1a03120178'],
    [{ flag: true, list: ['a', '', 'b'] }, '20012a01612a002a0162'],
    [{ fixed: 1n, small: 257 }, '3101000000000000003d01010000'],
    [{ real: 1, bytes: Buffer.from([0, 255]) }, '49000000000000f03f420200ff'],
    [{ far: [{ text: 'y' }] }, '827d03120179'],
    [{ unknown: 1, text: undefined }, ''],
  ])('%o', (message, hex) => {
    expect(encode(type, message).toString('hex')).toBe(hex);
  });
});

describe('decode', () => {
  test('reads back what was written, of any size', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 300 });
    const some = fc.record(
      {
        number: fc.nat(),
        text,
        inner: fc.record({ text }),
        flag: fc.boolean(),
        list: fc.array(text, { minLength: 1, maxLength: 40 }),
        fixed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        small: fc.nat(),
        far: fc.array(fc.record({ text }), { minLength: 1, maxLength: 40 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(some, message => {
        expect(decode(type, encode(type, message))).toEqual(message);
      }),
      { numRuns: 200 },
    );
  });

  test('skips what it does not know', () => {
    const bytes = encode(type, { number: 1, small: 2, fixed: 3n, text: 'kept', bytes: Buffer.from('x') });
    expect(decode(inner, bytes)).toEqual({ text: 'kept' });
  });

  test('never takes the beginning of a message for the whole', () => {
    const bytes = encode(type, { text: 'x'.repeat(200), fixed: 1n });
    for (const end of [1, 2, 3, 100, bytes.length - 1]) {
      expect(() => decode(type, bytes.subarray(0, end))).toThrow(RangeError);
    }
    expect(() => decode(type, Buffer.alloc(20, 0xff))).toThrow(RangeError);
  });
});
