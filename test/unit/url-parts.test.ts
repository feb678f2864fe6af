import fc from 'fast-check';
import { expect, test } from 'vitest';
import { percentDecoded } from '../../src/core/url-parts.ts';

test.each([
  ['p%40ss', 'p@ss'],
  ['50%', '50%'],
  ['a%zz%41', 'a%zzA'],
  ['%ff', '%ff'],
  ['%E6%97%A5', '日'],
])('%s is %s', (text, plain) => {
  expect(percentDecoded(text)).toBe(plain);
});

test('gives back what was encoded, and never throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), text => {
      expect(percentDecoded(encodeURIComponent(text))).toBe(text);
      expect(typeof percentDecoded(text)).toBe('string');
    }),
  );
});
