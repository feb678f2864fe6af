/** How a send that cannot be cancelled, or whose alerts fare differently, comes to its end. */
import type { Cancellation } from '../../core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../core/errors.ts';

/**
 * Settles as the work does, or rejects as soon as it is to be given up; the work itself goes on unheard.
 * @throws RetriableError with reason `timeout` when it was given up
 */
export function untilAborted<T>(work: Promise<T>, until: Cancellation): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new RetriableError('no answer in the time of one try', { reason: 'timeout' }));
    if (until.aborted) abort();
    until.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => until.removeEventListener('abort', abort));
  });
}

/** The same as a real signal, for what wants one. */
export function toAbortSignal(until: Cancellation): AbortSignal {
  if (until instanceof AbortSignal) return until;
  const controller = new AbortController();
  if (until.aborted) controller.abort(until.reason);
  else until.addEventListener('abort', () => controller.abort(until.reason));
  return controller.signal;
}

/**
 * Returns when no alert failed.
 * @throws RetriableError | PermanentError for a single alert, or when all failed for one reason that may pass;
 *   PartialError otherwise
 */
export function settle(count: number, failed: ReadonlyMap<number, RetriableError | PermanentError>): void {
  if (failed.size === 0) return;
  const [first] = failed.values();
  const allOfOneKind =
    failed.size === count &&
    [...failed.values()].every(error => error instanceof RetriableError && error.reason === first!.reason);
  throw count === 1 || allOfOneKind ? first! : new PartialError(failed);
}

/**
 * Sends the parts of a batch one after the other. The alerts of a part that fails as a whole share its error.
 * @param sendPart sends one, as `send` does
 * @throws RetriableError | PermanentError | PartialError as `settle` does, or what is none of ours at once
 */
export async function sendParts<T>(
  all: readonly T[],
  parts: readonly (readonly T[])[],
  sendPart: (part: readonly T[]) => Promise<void>,
): Promise<void> {
  const failed = new Map<number, RetriableError | PermanentError>();
  for (const part of parts) {
    try {
      await sendPart(part);
    } catch (error) {
      if (error instanceof PartialError) {
        for (const [index, failure] of error.failed) failed.set(all.indexOf(part[index]!), failure);
      } else if (error instanceof RetriableError || error instanceof PermanentError) {
        for (const item of part) failed.set(all.indexOf(item), error);
      } else throw error;
    }
  }
  settle(all.length, failed);
}
