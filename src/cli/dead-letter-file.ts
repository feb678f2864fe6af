/** The dead letters of a data folder, for when no daemon runs that could be asked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SpoolConfig } from '../core/config/types.ts';
import { systemClock } from '../core/host.ts';
import type { DeadLetter, DeadLetterFilter } from '../core/spool/contract.ts';
import { SqliteDeadLetters } from '../core/spool/dead-letters.ts';
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
  const box = new SqliteDeadLetters({
    path,
    maxCount: Number.MAX_SAFE_INTEGER,
    maxAgeMs: 0,
    durable: false,
    clock: systemClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    // That is for the daemon to decide.
    setAside: (_path, why) => {
      throw new Error(why);
    },
  });
  try {
    return { letters: await box.list(filter), total: box.count(filter.output) };
  } catch (error) {
    throw new CliError(EXIT.failure, `cannot read ${path}: ${(error as Error).message}`);
  } finally {
    box.close();
  }
}
