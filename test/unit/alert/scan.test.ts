import { describe, expect, it } from 'vitest';
import {
  elementSpans,
  innerObjectSpan,
  memberSpans,
  nestingDepth,
  valueSpans,
} from '../../../src/core/alert/scan.ts';

const members = (text: string) =>
  memberSpans(text).map(({ key, start, end }) => [key, text.slice(start, end)]);
const pieces = (text: string, limit = 100) =>
  valueSpans(text, limit).map(({ start, end }) => text.slice(start, end));

describe('memberSpans', () => {
  it('finds each member with its text as it stands', () => {
    expect(members(' { "a" : 1.50 , "b":"x}\\",{" , "c":[ {"d":"]"} ] ,"e":{}, "f":null}')).toEqual([
      ['a', '1.50'],
      ['b', '"x}\\",{"'],
      ['c', '[ {"d":"]"} ]'],
      ['e', '{}'],
      ['f', 'null'],
    ]);
  });

  it('decodes keys', () => {
    expect(members('{"a\\"\\u0062\\\\":1}')).toEqual([['a"b\\', '1']]);
  });

  it('takes an escaped backslash before a closing quote for what it is', () => {
    expect(members('{"a":"\\\\","b":1}')).toEqual([
      ['a', '"\\\\"'],
      ['b', '1'],
    ]);
  });

  it('finds nothing in an empty object', () => {
    expect(members(' {\n} ')).toEqual([]);
  });
});

describe('innerObjectSpan', () => {
  const inner = (text: string) => {
    const span = innerObjectSpan(text);
    return span && text.slice(span.start, span.end);
  };

  it('finds the one object', () => {
    expect(inner('{"a":"x","b":{"c":"\\"","d":[1.50]},"e":["f"]}')).toBe('{"c":"\\"","d":[1.50]}');
    expect(inner(' {"b" : {} } ')).toBe('{}');
    expect(inner('{"a":"}","b":{}}')).toBe('{}');
  });

  it.each([
    '{"a":"{","b":{}}',
    '{"b":{},"a":"{"}',
    '{"b":{"c":"}"}}',
    '{"b":{},"a":"}"}',
    '{"b":{},"a":"},"}',
    '{"b":{"c":{}}}',
    '{"b":{},"c":{}}',
  ])('finds nothing where braces do not tell: %s', text => {
    expect(inner(text)).toBeUndefined();
  });
});

describe('elementSpans', () => {
  it('finds each element', () => {
    const text = '[ 1, {"a":[2]} ,"],", []]';
    expect(elementSpans(text).map(({ start, end }) => text.slice(start, end))).toEqual([
      '1',
      '{"a":[2]}',
      '"],"',
      '[]',
    ]);
  });
});

describe('valueSpans', () => {
  it('cuts concatenated values and lines alike', () => {
    expect(pieces('{"a":1}{"b":"}"}\n\n[1]\r\nplain text\n{"c":2}')).toEqual([
      '{"a":1}',
      '{"b":"}"}',
      '[1]',
      'plain text',
      '{"c":2}',
    ]);
  });

  it('gives an unfinished value as the last piece', () => {
    expect(pieces('{"a":1}\n{"b":"x')).toEqual(['{"a":1}', '{"b":"x']);
  });

  it('stops at the limit', () => {
    expect(pieces('1\n2\n3\n4', 2)).toEqual(['1', '2']);
  });
});

describe('nestingDepth', () => {
  it.each([
    ['1', 0],
    ['{"a":"[[["}', 1],
    ['[[],[[]]]', 3],
  ])('counts %s', (text, depth) => {
    expect(nestingDepth(text, 100)).toBe(depth);
  });
});
