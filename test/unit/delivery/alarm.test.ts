import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Alarm } from '../../../src/core/delivery/alarm.ts';
import { pass } from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('the earliest time asked for counts', async () => {
  let rings = 0;
  const alarm = new Alarm(() => rings++);
  alarm.set(performance.now() + 1000, performance.now());
  alarm.set(performance.now() + 500, performance.now());
  alarm.set(performance.now() + 2000, performance.now());
  await pass(499);
  expect(rings).toBe(0);
  await pass(5000);
  expect(rings).toBe(1);
});

test.each([35 * 86_400_000, Number.POSITIVE_INFINITY])('a time %d ms off does not ring at once', async ms => {
  let rings = 0;
  const alarm = new Alarm(() => rings++);
  alarm.set(performance.now() + ms, performance.now());
  await pass(1000);
  expect(rings).toBe(0);
  alarm.set(performance.now() + 1000, performance.now());
  await pass(1000);
  expect(rings).toBe(1);
});
