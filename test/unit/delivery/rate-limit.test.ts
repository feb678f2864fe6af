import { expect, test } from 'vitest';
import { TokenBucket } from '../../../src/core/delivery/rate-limit.ts';

test('starts full and refills at its rate', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0);
  expect(bucket.available(0)).toBe(5);
  bucket.take(5);
  expect(bucket.available(0)).toBe(0);
  expect(bucket.waitMs(0)).toBe(100);
  expect(bucket.available(100)).toBe(1);
  expect(bucket.available(250)).toBe(2);
});

test('holds no more than its burst', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0);
  expect(bucket.available(60_000)).toBe(5);
});

test('takes fractions of an alert a second', () => {
  const bucket = new TokenBucket({ perSecond: 0.5, burst: 0 }, 0);
  bucket.take(1);
  expect(bucket.waitMs(0)).toBe(2000);
  expect(bucket.available(1999)).toBe(0);
  expect(bucket.available(2000)).toBe(1);
});

test('a clock that is set back gives nothing and takes nothing', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 10_000);
  bucket.take(5);
  expect(bucket.available(0)).toBe(0);
  expect(bucket.available(100)).toBe(1);
});
