import { expect, test } from 'vitest';
import { Recent } from '../../../../src/core/spool/jetstream/recent.ts';

test('what is recent is remembered for its time, not for ever', () => {
  const recent = new Recent(100);
  const has = (...sequences: number[]) => sequences.map(sequence => recent.has(sequence, 7));
  recent.add(1, 7, 0);
  recent.add(2, 7, 99);
  expect(has(1, 2, 3)).toEqual([true, true, false]);
  recent.add(3, 7, 150);
  expect(has(1)).toEqual([true]);
  recent.add(4, 7, 260);
  expect(has(1, 3, 4)).toEqual([false, true, true]);
  expect(recent.has(4, 8)).toBe(false);
});
