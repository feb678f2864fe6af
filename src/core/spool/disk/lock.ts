/**
 * One owner for a data folder. The lock is SQLite's exclusive lock on an empty database: the kernel's file lock
 * underneath ends with the process that holds it, however it ends, so there is nothing stale to be judged by pid,
 * and it holds between containers that share a volume.
 */
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../contract.ts';
import { SpoolLockedError } from '../contract.ts';
import { loadSqlite, SQLITE_BUSY, sqliteCode } from '../sqlite.ts';
import { FILE_MODE } from './files.ts';

/** A process that was killed a moment ago may not be gone yet. */
const PATIENCE_MS = 2_000;
const POLL_MS = 50;

export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a folder. Throws node's error when the folder cannot be written to.
 * @throws SpoolLockedError when another process keeps it
 */
export async function lockFolder(folder: string, log: Logger): Promise<Lock> {
  accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  const ownerPath = join(folder, 'lock.owner');
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const release = tryLock(join(folder, 'lock'), log);
    if (release) {
      // For people only: whoever is refused is told who the owner is.
      writeOwner(ownerPath);
      return {
        release: () => {
          rmSync(ownerPath, { force: true });
          release();
        },
      };
    }
    if (performance.now() >= deadline) {
      throw new SpoolLockedError(
        `the data folder ${folder} is in use by ${readOwner(ownerPath)}; give each instance a folder of its own`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** Undefined when somebody else has the lock. */
function tryLock(path: string, log: Logger): (() => void) | undefined {
  const { DatabaseSync } = loadSqlite();
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('begin exclusive');
  } catch (error) {
    if (sqliteCode(error) === SQLITE_BUSY) {
      db.close();
      return undefined;
    }
    // Some network file systems have no locks. Losing alerts would be worse than trusting the operator.
    log.warn(
      { error: (error as Error).message },
      'the data folder cannot be locked: make sure it has one user only',
    );
  }
  return () => db.close();
}

function writeOwner(path: string): void {
  try {
    writeFileSync(path, `process ${process.pid} on ${hostname()}\n`, { mode: FILE_MODE });
  } catch {
    // The lock holds without it.
  }
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim() || 'another process';
  } catch {
    return 'another process';
  }
}
