import { expect, test } from 'vitest';
import { parseBusy, parseStat, treeOf } from '../../../bench/proc.ts';

test('CPU time is that of the process and of its ended children, whatever the name of the command', () => {
  const line = '42 (a) b (c) S 7 42 42 0 -1 4194304 100 0 0 0 150 50 20 5 20 0 11 0 12345 0 0';
  expect(parseStat(line)).toEqual({ parent: 7, cpuSeconds: 2.25 });
});

test('a busy machine counts neither idling nor waiting for the disk, but stolen time', () => {
  expect(parseBusy('cpu  100 10 20 9000 800 3 4 5 6 7\ncpu0 1 2 3\n')).toBeCloseTo(1.42);
});

test('the tree holds children of children', () => {
  const parents = new Map([
    [2, 1],
    [3, 2],
    [9, 8],
    [4, 3],
    [5, 2],
  ]);
  expect(treeOf(2, parents).sort()).toEqual([2, 3, 4, 5]);
});
