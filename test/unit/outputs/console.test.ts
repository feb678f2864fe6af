import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { toLine } from '../../../src/outputs/console.ts';
import { falcoAlert } from '../../support/services/alerts.ts';

test('an alert neither moves the cursor nor turns the line round', () => {
  const alert = falcoAlert({
    rule: 'a\u202eb\u061c',
    output: 'line\r\n\x1b[2J\x9b1A \u2066x\u2069\u2028 ü 👩‍💻',
    tags: ['t\x07'],
    hostname: 'h\u200f',
  });
  const shown = String.raw`a\x202eb\x61c  line\x0d\x0a\x1b[2J\x9b1A \x2066x\x2069\x2028 ü 👩‍💻  h\x200f t\x07`;
  expect(toLine(alert, false).slice(-shown.length)).toBe(shown);
  expect(stripVTControlCharacters(toLine(alert, true))).toBe(toLine(alert, false));
});
