/**
 * One owner for a data folder. The lock is SQLite's exclusive lock on an empty database: the kernel's file lock
 * underneath ends with the process that holds it, however it ends, so there is nothing stale to be judged by pid,
 * and it holds between containers that share a volume.
 */
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../contract.ts';
import { SpoolLockedError } from '../contract.ts';
import { loadSqlite, SQLITE_BUSY, sqliteCode } from '../sqlite.ts';
import { FILE_MODE } from './files.ts';

/** A process that was killed a moment ago may not be gone yet. */
const PATIENCE_MS = 2_000;
const POLL_MS = 50;

/** How soon a lock that could not be asked for is asked for again. */
const AGAIN_MS = 10_000;

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
  const { DatabaseSync } = loadSqlite();
  const db = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  const deadline = performance.now() + PATIENCE_MS;
  let tries: NodeJS.Timeout | undefined;
  for (let error = take(db); error !== undefined; error = take(db)) {
    if (!isTaken(error)) {
      // Some network file systems have no locks. Losing alerts would be worse than trusting the operator.
      log.warn({ error: error.message }, 'the data folder cannot be locked: make sure it has one user only');
      tries = keepTrying(db, () => readOwner(ownerPath), log);
      break;
    }
    if (performance.now() >= deadline) {
      db.close();
      throw new SpoolLockedError(
        `the data folder ${folder} is in use by ${readOwner(ownerPath)}; give each instance a folder of its own`,
      );
    }
    await sleep(POLL_MS);
  }
  // For people only: whoever is refused is told who the owner is.
  writeOwner(ownerPath);
  return {
    release: () => {
      clearInterval(tries);
      removeOwner(ownerPath);
      db.close();
    },
  };
}

/** Takes the lock; what SQLite says against it. */
function take(db: DatabaseSync): Error | undefined {
  try {
    // A journal in a file would have to be written: on a full disk there would be no lock.
    db.exec('pragma journal_mode = memory; begin exclusive');
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function isTaken(error: Error): boolean {
  return sqliteCode(error) === SQLITE_BUSY;
}

/** Asks for the lock until there is an answer: a fault that passes must not leave the folder open to a second owner. */
function keepTrying(db: DatabaseSync, owner: () => string, log: Logger): NodeJS.Timeout {
  const tries = setInterval(() => {
    const error = take(db);
    if (error === undefined) {
      clearInterval(tries);
      log.info({}, 'the data folder is locked now');
    } else if (isTaken(error)) {
      log.error({ owner: owner() }, 'the data folder is in use by another process too: alerts will be lost');
    }
  }, AGAIN_MS);
  return tries.unref();
}

function writeOwner(path: string): void {
  try {
    writeFileSync(path, `process ${process.pid} on ${hostname()}\n`, { mode: FILE_MODE });
  } catch {
    // The lock holds without it.
  }
}

function removeOwner(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A disk that refuses must not keep the lock, nor make a stop fail.
  }
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim() || 'another process';
  } catch {
    return 'another process';
  }
}
