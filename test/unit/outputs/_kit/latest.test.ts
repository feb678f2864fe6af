import { expect, test } from 'vitest';
import { keepLatest } from '../../../../src/outputs/_kit/latest.ts';

test('makes a value once for the same argument in a row, and never gives that of another', () => {
  const asked: (string | undefined)[] = [];
  const shout = keepLatest((text: string | undefined) => {
    asked.push(text);
    return text?.toUpperCase();
  });
  expect([undefined, undefined, 'a', 'a', 'b', 'a'].map(shout)).toEqual([
    undefined,
    undefined,
    'A',
    'A',
    'B',
    'A',
  ]);
  expect(asked).toEqual([undefined, 'a', 'b', 'a']);
});
