import { describe, expect, test } from 'vitest';
import { PermanentError, RetriableError } from '../../src/core/errors.ts';
import { DEFECT_ATTEMPTS, MAX_RETRY_AFTER_MS, nextStep } from '../../src/core/retry.ts';

const policy = { maxAgeMs: 3_600_000, attempts: 0, minMs: 500, maxMs: 60_000 };
const busy = new RetriableError('busy', { reason: 'server_error' });
const asks = (retryAfterMs: number) =>
  new RetriableError('slow down', { reason: 'rate_limited', retryAfterMs });

describe('nextStep', () => {
  test('waits at random up to a limit that doubles from the first wait to the longest', () => {
    const longest = [1, 2, 3, 8, 20, 1000].map(
      attempt => nextStep(busy, attempt, 0, policy, 0.999999).retryInMs,
    );
    expect(longest).toEqual([500, 1000, 2000, 60_000, 60_000, 60_000]);
    expect(nextStep(busy, 5, 0, policy, 0).retryInMs).toBe(0);
    expect(nextStep(busy, 3, 0, policy, 0.5).retryInMs).toBe(1000);
  });

  test('never waits less than the far side asked, and at first not much more', () => {
    expect(nextStep(asks(5000), 1, 0, policy, 0).retryInMs).toBe(5000);
    expect(nextStep(asks(5000), 1, 0, policy, 0.999999).retryInMs).toBe(5500);
    expect(nextStep(asks(5000), 9, 0, policy, 0).retryInMs).toBe(5000);
  });

  test('who is asked to wait time after time is spread over up to eight pauses, and an hour', () => {
    const most = (asked: number) =>
      [2, 3, 4, 9].map(attempt => nextStep(asks(asked), attempt, 0, policy, 0.999999).retryInMs);
    expect(most(60_000)).toEqual([120_000, 240_000, 480_000, 480_000]);
    expect(most(3_000_000)).toEqual([3_600_000, 3_600_000, 3_600_000, 3_600_000]);
  });

  test('a far side that asks for next to nothing gets no more tries than one that does not ask', () => {
    for (const asked of [0, 1, -5, Number.NaN]) {
      expect(nextStep(asks(asked), 9, 0, policy, 0.5).retryInMs).toBe(30_000);
    }
  });

  test('a far side cannot ask for days, nor for the past', () => {
    const long = { ...policy, maxAgeMs: 1e12 };
    expect(nextStep(asks(1e10), 1, 0, long, 0).retryInMs).toBe(MAX_RETRY_AFTER_MS);
    expect(nextStep(asks(-5), 1, 0, long, 0).retryInMs).toBe(0);
  });

  test('gives up what is refused, at once', () => {
    const refused = new PermanentError('no', { reason: 'client_error' });
    expect(nextStep(refused, 1, 0, policy, 0.5)).toEqual({ giveUp: 'refused' });
  });

  test('gives up after the allowed tries', () => {
    const three = { ...policy, attempts: 3 };
    expect(nextStep(busy, 2, 0, three, 0.5).giveUp).toBeUndefined();
    expect(nextStep(busy, 3, 0, three, 0.5)).toEqual({ giveUp: 'attempts' });
  });

  test('gives up what is too old; the last try falls on the limit', () => {
    expect(nextStep(busy, 20, policy.maxAgeMs - 100, policy, 0.9).retryInMs).toBe(100);
    expect(nextStep(busy, 20, policy.maxAgeMs, policy, 0.9)).toEqual({ giveUp: 'age' });
  });

  test('retries a defect of an output only so often', () => {
    const defect = new TypeError('undefined is not a function');
    expect(nextStep(defect, 1, 0, policy, 0.5).retryInMs).toBe(250);
    expect(nextStep(defect, DEFECT_ATTEMPTS, 0, policy, 0.5)).toEqual({ giveUp: 'attempts' });
    expect(nextStep(busy, DEFECT_ATTEMPTS, 0, policy, 0.5).giveUp).toBeUndefined();
  });
});
