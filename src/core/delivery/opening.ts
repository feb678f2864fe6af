/** Opens an output, again and again until it works or nobody wants it any more. */
import type { Clock, Output } from '../contract.ts';
import { RetriableError } from '../errors.ts';
import { backoffMs } from '../retry.ts';

export interface OpeningOptions {
  open(): Promise<Output>;
  clock: Clock;
  /** Aborted when the output is not wanted any more. */
  signal: AbortSignal;
  /** First and longest wait between tries, in milliseconds. */
  minMs: number;
  maxMs: number;
  /** A try that takes longer counts as failed. */
  timeoutMs: number;
  /** Told of each failed try. */
  failed(error: unknown, retryInMs: number): void;
}

/** Resolves with the open output, or with undefined once the signal has aborted. Never rejects. */
export async function openUntilItWorks(options: OpeningOptions): Promise<Output | undefined> {
  const { clock, signal, minMs, maxMs } = options;
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await openOnce(options);
    } catch (error) {
      if (signal.aborted) break;
      const retryInMs = Math.ceil(backoffMs(attempt, minMs, maxMs) * (0.5 + clock.random() / 2));
      options.failed(error, retryInMs);
      await pause(retryInMs, signal);
    }
  }
  return undefined;
}

function openOnce({ open, signal, timeoutMs }: OpeningOptions): Promise<Output> {
  return new Promise((resolve, reject) => {
    let given = false;
    const giveUp = (error: Error) => {
      given = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      reject(error);
    };
    const onAbort = () => giveUp(new RetriableError('not wanted any more', { reason: 'other' }));
    const timer = setTimeout(
      () => giveUp(new RetriableError('timed out while opening', { reason: 'timeout' })),
      timeoutMs,
    );
    signal.addEventListener('abort', onAbort);
    // `open` of a plugin may throw instead of rejecting.
    new Promise<Output>(inner => inner(open())).then(
      output => {
        // Too late: nobody will use it, so nothing of it may stay.
        if (given) void closeQuietly(output);
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(output);
      },
      error => giveUp(error),
    );
  });
}

async function closeQuietly(output: Output): Promise<void> {
  try {
    await output.close?.();
  } catch {
    // There is nobody left to tell.
  }
}

/** Waits, or less when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
