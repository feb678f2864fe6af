/** The database of dead letters: its schema, and what is asked of it. What SQLite refuses is thrown as it comes. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { decodeAlert } from '../alert.ts';
import type { DeadLetter, DeadLetterFilter } from './contract.ts';
import { LetterPage } from './letter-page.ts';
import { loadSqlite, openToRead, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode } from './sqlite.ts';

const SCHEMA_VERSION = 1;
const SCHEMA = `
  create table if not exists letters (
    id integer primary key autoincrement,
    output text not null,
    rule text not null,
    alert blob not null,
    error text not null,
    reason text not null,
    attempts integer not null,
    buried_at integer not null
  );
  create index if not exists letters_of_output on letters (output, id);
  create index if not exists letters_by_age on letters (buried_at);
  pragma user_version = ${SCHEMA_VERSION};
`;
const INSERT =
  'insert into letters (output, rule, alert, error, reason, attempts, buried_at) values (?, ?, ?, ?, ?, ?, ?)';
/** How long SQLite waits for a lock; nothing else goes on meanwhile. */
const BUSY_MS = 1_000;

/** The file is of a version to come. */
class UnknownSchema extends Error {}

export class LetterStore {
  /** Letters per output, kept so that metrics need not count rows. */
  readonly #counts = new Map<string, number>();
  #total = 0;
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;

  /** Opens the file, or `:memory:`, and makes what is missing. `durable`: a letter survives a power failure. */
  static open(path: string, durable: boolean): LetterStore {
    const { DatabaseSync } = loadSqlite();
    const db = new DatabaseSync(path, { timeout: BUSY_MS });
    try {
      // With WAL, NORMAL survives the end of the process and FULL also a power failure (sqlite.org/pragma.html).
      db.exec(`pragma journal_mode = wal; pragma synchronous = ${durable ? 'full' : 'normal'};`);
      // A full disk must not keep the letters that there are from being read.
      if (versionOf(db) < SCHEMA_VERSION) db.exec(SCHEMA);
      return new LetterStore(db);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Opens the file to look at it, and changes nothing. Undefined when nothing has ever been in it. */
  static openToRead(path: string): LetterStore | undefined {
    const db = openToRead(path);
    try {
      if (versionOf(db) > 0) return new LetterStore(db);
    } catch (error) {
      db.close();
      throw error;
    }
    db.close();
    return undefined;
  }

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#insert = db.prepare(INSERT);
    for (const row of db.prepare('select output, count(*) as letters from letters group by output').all()) {
      this.#counted(String(row.output), Number(row.letters));
    }
  }

  /** The id of the letter. */
  add({ output, alert, error, reason, attempts, buriedAt }: Omit<DeadLetter, 'id'>): number {
    const result = this.#insert.run(output, alert.rule, alert.bytes, error, reason, attempts, buriedAt);
    this.#counted(output, 1);
    return Number(result.lastInsertRowid);
  }

  /** A page, newest first. Rows that are no letters are left out, and told to `unreadable`. */
  list(filter: DeadLetterFilter, unreadable: (id: number, error: Error) => void): DeadLetter[] {
    const page = new LetterPage(filter);
    if (page.isFull) return [];
    const { where, values } = toSql(filter);
    const rows = this.#db.prepare(`select * from letters where ${where} order by id desc`).iterate(...values);
    for (const row of rows) {
      try {
        page.add(toLetter(row));
      } catch (error) {
        unreadable(Number(row.id), error as Error);
      }
      // Not before the row: it would be read in full, and for nothing.
      if (page.isFull) break;
    }
    return page.letters;
  }

  count(output?: string): number {
    return output === undefined ? this.#total : (this.#counts.get(output) ?? 0);
  }

  tally(filter: DeadLetterFilter): Map<string, number> {
    const { where, values } = toSql(filter);
    const rows = this.#db
      .prepare(`select output, count(*) as letters from letters where ${where} group by output`)
      .all(...values);
    return new Map(rows.map(row => [String(row.output), Number(row.letters)]));
  }

  /** Removes letters, the newest ones where there is a limit; how many there were. */
  remove(filter: DeadLetterFilter): number {
    const { where, values } = toSql(filter);
    return this.#remove(`${where} order by id desc limit ?`, [...values, toLimit(filter.limit)]);
  }

  removeOldest(letters: number): number {
    return this.#remove('true order by id limit ?', [letters]);
  }

  removeBuriedBefore(time: number): number {
    return this.#remove('buried_at < ?', [time]);
  }

  close(): void {
    this.#db.close();
  }

  #remove(where: string, values: SQLInputValue[]): number {
    const rows = this.#db
      .prepare(`delete from letters where id in (select id from letters where ${where}) returning output`)
      .all(...values);
    for (const row of rows) this.#counted(String(row.output), -1);
    return rows.length;
  }

  #counted(output: string, letters: number): void {
    const found = (this.#counts.get(output) ?? 0) + letters;
    if (found > 0) this.#counts.set(output, found);
    else this.#counts.delete(output);
    this.#total += letters;
  }
}

/** Whether the error says that the file is not, or not any more, a database that could be used. */
export function isBadFile(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB || error instanceof UnknownSchema;
}

/** 0: nothing is in it. */
function versionOf(db: DatabaseSync): number {
  const version = Number(db.prepare('pragma user_version').get()?.user_version);
  if (version > SCHEMA_VERSION) throw new UnknownSchema(`dead letters of version ${version}`);
  return version;
}

/** @throws when the alert cannot be read */
function toLetter(row: Record<string, unknown>): DeadLetter {
  const { buffer, byteOffset, byteLength } = row.alert as Uint8Array<ArrayBuffer>;
  return {
    id: Number(row.id),
    output: String(row.output),
    alert: decodeAlert(Buffer.from(buffer, byteOffset, byteLength)),
    error: String(row.error),
    reason: String(row.reason),
    attempts: Number(row.attempts),
    buriedAt: Number(row.buried_at),
  };
}

function toSql(filter: DeadLetterFilter): { where: string; values: SQLInputValue[] } {
  const conditions = ['true'];
  const values: SQLInputValue[] = [];
  const add = (condition: string, value: SQLInputValue | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add('output = ?', filter.output);
  add('id in (select value from json_each(?))', filter.ids && JSON.stringify(filter.ids));
  add('rule = ?', filter.rule);
  // By its index: a row has its time behind the alert, all of which SQLite would read through.
  add('id in (select id from letters where buried_at >= ?)', filter.since);
  add('id < ?', filter.before);
  return { where: conditions.join(' and '), values };
}

/** SQLite takes a negative limit as none. */
function toLimit(limit: number | undefined): number {
  return limit === undefined ? -1 : Math.max(0, Math.floor(limit));
}
