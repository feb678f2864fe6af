/** node:sqlite, loaded when first needed: a process without dead letters does not pay for it. */

type Sqlite = typeof import('node:sqlite');

/** The module. It is part of Node, so that loading it needs no waiting. */
export function loadSqlite(): Sqlite {
  return process.getBuiltinModule('node:sqlite');
}

/** SQLite's primary result code of an error (sqlite.org/rescode.html); undefined when it is none of its own. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export const SQLITE_BUSY = 5;
export const SQLITE_CORRUPT = 11;
export const SQLITE_NOTADB = 26;
