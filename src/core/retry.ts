/** When a failed try is made again, and when it is not. Pure. */
import type { DeliveryConfig } from './config/types.ts';
import { PermanentError, RetriableError } from './errors.ts';

/** The limits of one output's retries. */
export type RetryPolicy = DeliveryConfig['retry'];

/** Longest pause a far side can ask for, in milliseconds: a wrong `Retry-After` must not silence an output for days. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * Tries of an alert that an output fails on with anything but one of our errors. That is a defect of the output, which
 * a day of repetition would not cure; the alert is kept as a dead letter instead.
 */
export const DEFECT_ATTEMPTS = 10;

/** What to do with an alert after a failed try. */
export type NextStep =
  | { retryInMs: number; giveUp?: undefined }
  /** `refused`: the far side will never take it; `attempts`, `age`: the limits of the policy. */
  | { giveUp: 'refused' | 'attempts' | 'age'; retryInMs?: undefined };

/**
 * Whether an alert is tried again after a failed try, and when.
 * @param attempt the try that failed, 1 for the first
 * @param ageMs how long the alert has been on its way
 * @param random uniform in [0, 1)
 */
export function nextStep(
  error: unknown,
  attempt: number,
  ageMs: number,
  policy: RetryPolicy,
  random: number,
): NextStep {
  if (error instanceof PermanentError) return { giveUp: 'refused' };
  if (attempt >= maxAttempts(error, policy)) return { giveUp: 'attempts' };
  if (ageMs >= policy.maxAgeMs) return { giveUp: 'age' };
  // The last try falls on the age limit instead of beyond it.
  return { retryInMs: Math.min(waitMs(error, attempt, policy, random), policy.maxAgeMs - ageMs) };
}

function maxAttempts(error: unknown, policy: RetryPolicy): number {
  const limit = policy.attempts > 0 ? policy.attempts : Number.POSITIVE_INFINITY;
  return error instanceof RetriableError ? limit : Math.min(limit, DEFECT_ATTEMPTS);
}

function waitMs(error: unknown, attempt: number, policy: RetryPolicy, random: number): number {
  const own = random * backoffMs(attempt, policy.minMs, policy.maxMs);
  const asked = error instanceof RetriableError ? cappedRetryAfter(error) : undefined;
  if (asked === undefined) return Math.ceil(own);
  const spread = Math.max(policy.minMs, Math.min(asked * spreadOf(attempt), MAX_RETRY_AFTER_MS - asked));
  // Who asks for less than the back-off does not get more tries by it.
  return Math.ceil(Math.max(own, asked + random * spread));
}

/**
 * By how many pauses an alert may come later than it was asked to: none, 1, 3, 7. Each of its tries pauses the whole
 * output, so one that is always asked to wait has to leave time for the others.
 */
function spreadOf(attempt: number): number {
  return 2 ** Math.min(attempt - 1, 3) - 1;
}

/** The longest wait before try `attempt` + 1: doubles from `minMs` up to `maxMs`. */
export function backoffMs(attempt: number, minMs: number, maxMs: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 40));
}

/** The pause that the far side asked for, in milliseconds, within reason; undefined when it asked for none. */
export function cappedRetryAfter(error: RetriableError): number | undefined {
  const { retryAfterMs = 0 } = error;
  return retryAfterMs > 0 ? Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) : undefined;
}
