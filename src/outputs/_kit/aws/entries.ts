/** Answers to batches of AWS services: which entries failed. */
import type { PermanentError, RetriableError } from '../../../core/errors.ts';
import { settle } from '../settle.ts';
import { entryFailure } from './answers.ts';

/** An entry that was not taken. */
export interface FailedEntry {
  /** Its position in the batch. */
  position: number;
  /** The name of the error. */
  code: string;
  /** The request is at fault: another try is of no use. */
  senderFault: boolean;
}

/**
 * Returns when no entry failed.
 * @throws RetriableError | PermanentError | PartialError, see `settle`
 */
export function settleEntries(count: number, entries: Iterable<FailedEntry>): void {
  const failed = new Map<number, RetriableError | PermanentError>();
  for (const { position, code, senderFault } of entries)
    failed.set(position, entryFailure(code, senderFault));
  settle(count, failed);
}
