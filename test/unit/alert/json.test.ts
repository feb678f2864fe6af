import { describe, expect, it } from 'vitest';
import {
  deepFreeze,
  isRawNumber,
  type JsonObject,
  parseExact,
  toText,
} from '../../../src/core/alert/json.ts';

describe('parseExact', () => {
  it.each([
    '1743606903434319636',
    '9223372036854775807',
    '-9007199254740993',
    '12.50',
    '1.0',
    '1e21',
    '6.02E+23',
    '-0',
    '0.1000000000000000055',
    '1234567890123456',
  ])('keeps every digit of %s', text => {
    expect(JSON.stringify(parseExact(`{"n":${text},"in":[${text}]}`))).toBe(`{"n":${text},"in":[${text}]}`);
    expect(toText(parseExact(text))).toBe(text);
  });

  it('gives plain numbers where they are exact', () => {
    const parsed = parseExact('{"a":5,"b":-1.5,"c":"1743606903434319636"}') as JsonObject;
    expect(parsed).toEqual({ a: 5, b: -1.5, c: '1743606903434319636' });
    expect(isRawNumber(parsed.a)).toBe(false);
  });

  it('refuses what is no JSON', () => {
    expect(() => parseExact('{"a":1743606903434319636')).toThrow(SyntaxError);
  });
});

describe('toText', () => {
  it.each([
    ['text', 'text'],
    [null, ''],
    [undefined, ''],
    [true, 'true'],
    [443, '443'],
    [[1, 'a', null], '[1,"a",null]'],
    [{ a: { b: 1 } }, '{"a":{"b":1}}'],
  ])('writes %j as %j', (value, text) => {
    expect(toText(value)).toBe(text);
  });

  it('writes exact numbers inside lists by their digits', () => {
    expect(toText(parseExact('[1743606903434319636]'))).toBe('[1743606903434319636]');
  });
});

describe('deepFreeze', () => {
  it('freezes what is inside', () => {
    const value = deepFreeze({ a: [{ b: 1 }] });
    expect(() => {
      value.a[0]!.b = 2;
    }).toThrow(TypeError);
  });
});
