/** Answers to batches of AWS services: which entries failed. */
import type { HttpResponse } from '../../../core/contract.ts';
import type { PermanentError, RetriableError } from '../../../core/errors.ts';
import { outcomesUnknown } from '../refused.ts';
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

/** What an answer says of entries whose ids are their positions in the batch. */
interface NamedEntries {
  /** The ids of those that were taken; empty where a server does not say it. */
  taken: readonly string[];
  failed: readonly { id: string; code: string; senderFault: boolean }[];
}

/**
 * Returns when no entry failed. Where some are said to be taken, those that are not named at all are tried again.
 * @throws RetriableError | PermanentError | PartialError, see `settle`; RetriableError for a failed one that nobody sent
 */
export function settleNamed(response: HttpResponse, count: number, { taken, failed }: NamedEntries): void {
  const failures = new Map<number, RetriableError | PermanentError>();
  const silent = new Set(Array.from({ length: count }, (_, position) => String(position)));
  for (const { id, code, senderFault } of failed) {
    if (!silent.delete(id)) throw outcomesUnknown(response);
    failures.set(Number(id), entryFailure(code, senderFault));
  }
  const named = taken.filter(id => silent.delete(id));
  if (named.length > 0) for (const id of silent) failures.set(Number(id), outcomesUnknown(response));
  settle(count, failures);
}
