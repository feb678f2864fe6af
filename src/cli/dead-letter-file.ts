/** The dead letters of a data folder, for when no daemon runs that could be asked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SpoolConfig } from '../core/config/types.ts';
import type { DeadLetter, DeadLetterFilter } from '../core/spool/contract.ts';
import { LetterStore } from '../core/spool/letters/store.ts';
import { CliError, EXIT } from './exit.ts';

/** Where dead letters lie in a data folder (docs: the spool's format). */
const FILE = 'dead-letters.sqlite';

/**
 * Reads letters, newest first, and changes nothing. Undefined when there is nothing that could be read: the log is
 * kept in memory, or the folder holds none.
 * @throws CliError (failure) when the file cannot be read
 */
export async function readDeadLetters(
  spool: SpoolConfig,
  filter: DeadLetterFilter,
): Promise<{ letters: DeadLetter[]; total: number } | undefined> {
  const path = join(spool.path, FILE);
  if (spool.driver !== 'disk' || !existsSync(path)) return undefined;
  let store: LetterStore | undefined;
  try {
    store = LetterStore.openToRead(path);
    // What is no letter is left out; the daemon says so in its log.
    return store && { letters: store.list(filter, () => {}), total: store.count(filter.output) };
  } catch (error) {
    throw new CliError(EXIT.failure, `cannot read ${path}: ${(error as Error).message}`);
  } finally {
    store?.close();
  }
}
