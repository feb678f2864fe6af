/** A dead letter in the making. */
import type { Clock } from '../../contract.ts';
import { PermanentError, RetriableError } from '../../errors.ts';
import type { DeadLetter, Delivery } from '../contract.ts';

/** How long an alert waits when its letter could not be stored. */
export const BURY_AGAIN_MS = 30_000;
/** Longest error text kept with a dead letter. */
const MAX_ERROR_CHARS = 2_000;

/** The letter of an alert that the output gave up now, for what `error` says. */
export function letterOf(
  output: string,
  { alert, attempt }: Pick<Delivery, 'alert' | 'attempt'>,
  error: Error,
  clock: Pick<Clock, 'now'>,
): Omit<DeadLetter, 'id'> {
  return {
    output,
    alert,
    error: String(error.message).slice(0, MAX_ERROR_CHARS),
    reason: error instanceof PermanentError || error instanceof RetriableError ? error.reason : 'other',
    attempts: attempt,
    buriedAt: clock.now(),
  };
}
