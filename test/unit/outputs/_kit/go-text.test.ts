import { expect, test } from 'vitest';
import { parseExact } from '../../../../src/core/alert/json.ts';
import { toGoText } from '../../../../src/outputs/_kit/go-text.ts';

test.each([
  ['"text"', 'text'],
  ['null', '<nil>'],
  ['false', 'false'],
  ['12.50', '12.50'],
  ['9223372036854775807', '9223372036854775807'],
  ['[1, "two", null, []]', '[1 two <nil> []]'],
  ['{"b": {"c": null}, "a": [true]}', 'map[a:[true] b:map[c:<nil>]]'],
])('%s is %s', (json, text) => {
  expect(toGoText(parseExact(json))).toBe(text);
});

test('a value that is null by itself can have another text', () => {
  expect(toGoText(null, '<no value>')).toBe('<no value>');
});
