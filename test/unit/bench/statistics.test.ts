import { describe, expect, test } from 'vitest';
import {
  median,
  pairedRatio,
  percentile,
  ratio,
  rounded,
  slope,
  spreadOf,
} from '../../../bench/statistics.ts';

describe('percentile', () => {
  test.each([
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.5, 6],
    [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.9, 10],
    [[100, 9, 20], 0, 9],
    [[100, 9, 20], 1, 100],
    [[7], 0.99, 7],
  ])('of %j at %d is %d', (values, share, expected) => {
    expect(percentile(values, share)).toBe(expected);
  });

  test('leaves the values in their order', () => {
    const values = Float64Array.of(3, 1, 2);
    expect(percentile(values, 0.5)).toBe(2);
    expect([...values]).toEqual([3, 1, 2]);
  });

  test('of nothing is nothing', () => expect(percentile([], 0.5)).toBeNaN());
});

test.each([
  [[3, 100, 20], 20],
  [[4, 1, 2, 3], 2.5],
  [[], Number.NaN],
])('the median of %j is %d', (values, expected) => expect(median(values)).toBe(expected));

test('pairs are compared one by one, however much the pairs differ', () => {
  const steady = pairedRatio([50, 500, 5], [100, 1000, 10]);
  expect(steady).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
  const { mean, low, high } = pairedRatio([100, 400, 90, 210], [100, 200, 100, 200]);
  expect(mean).toBeCloseTo((1 * 2 * 0.9 * 1.05) ** (1 / 4));
  expect(low).toBeLessThan(1);
  expect(high).toBeGreaterThan(mean);
  expect(mean / low).toBeCloseTo(high / mean);
  expect(pairedRatio([1], [2]).low).toBeNaN();
});

test('a spread keeps the values in the order of the runs', () => {
  expect(spreadOf([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5, values: [5, 1, 3] });
});

test('a ratio is ours by theirs, and none where theirs is nothing', () => {
  expect(ratio(30, 120)).toBe(0.25);
  expect(ratio(0, 5)).toBe(0);
  expect(ratio(1, 0)).toBeUndefined();
  expect(ratio(Number.NaN, 5)).toBeUndefined();
});

test('a slope is that of the straight line nearest to the points', () => {
  const line = [0, 1, 2, 3].map(x => [x, 7 + 2 * x] as const);
  expect(slope(line)).toBeCloseTo(2);
  expect(slope([...line, [1.5, 1000]])).toBeCloseTo(2);
  expect(slope([[1, 1]])).toBeNaN();
});

test.each([
  [0.123456, 0.123],
  [12.3456, 12.3],
  [1234.56, 1235],
  [0, 0],
])('%d is shown as %d', (value, expected) => expect(rounded(value)).toBe(expected));
