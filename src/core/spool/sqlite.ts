/** node:sqlite, loaded when first needed: a process without dead letters does not pay for it. */
import { accessSync, chmodSync, closeSync, constants, openSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { FILE_MODE } from './disk/files.ts';

type Sqlite = typeof import('node:sqlite');

/** How long SQLite waits for a lock; nothing else goes on meanwhile. */
export const BUSY_MS = 1_000;

/** What is used of the module, with files for their owner only. It is part of Node, so that loading it needs no waiting. */
export function loadSqlite(): Pick<Sqlite, 'DatabaseSync'> {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  return {
    DatabaseSync: class extends DatabaseSync {
      constructor(...[path, options]: ConstructorParameters<Sqlite['DatabaseSync']>) {
        if (path !== ':memory:') makePrivate(String(path));
        super(path, options);
      }
    },
  };
}

/**
 * Opens a database to look at it: no file is made or changed, whoever looks and wherever it lies.
 * @throws Error with the file's name when there is no reading it
 */
export function openToRead(path: string): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const url = pathToFileURL(path);
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  const needed = [path];
  // By itself, SQLite makes the files beside a database in WAL mode even for a reader (sqlite.org/wal.html#readonly).
  if (log && log.size > 0) {
    url.search = 'readonly_shm=1';
    needed.push(`${path}-wal`, `${path}-shm`);
  } else {
    url.search = 'immutable=1';
  }
  for (const file of needed) accessSync(file, constants.R_OK);
  return new DatabaseSync(url, { readOnly: true, timeout: BUSY_MS });
}

/** SQLite makes the files beside a database with the database's mode. What is wrong here, it says itself. */
function makePrivate(path: string): void {
  try {
    // Never opens a file that is there: closing it would drop the locks that this process has on it.
    closeSync(openSync(path, 'wx', FILE_MODE));
  } catch {}
  for (const suffix of ['', '-journal', '-wal', '-shm']) {
    try {
      chmodSync(path + suffix, FILE_MODE);
    } catch {}
  }
}

/** SQLite's primary result code of an error (sqlite.org/rescode.html); undefined when it is none of its own. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export const SQLITE_BUSY = 5;
export const SQLITE_IOERR = 10;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_NOTADB = 26;
