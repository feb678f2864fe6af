/** The database of dead letters: its schema, and what is asked of it. What SQLite refuses is thrown as it comes. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { decodeAlert } from '../../alert/alert.ts';
import type { DeadLetter, DeadLetterFilter } from '../contract.ts';
import {
  BUSY_MS,
  loadSqlite,
  openToRead,
  SQLITE_CORRUPT,
  SQLITE_FULL,
  SQLITE_IOERR,
  SQLITE_NOTADB,
  sqliteCode,
} from '../sqlite.ts';
import { LetterPage } from './page.ts';
import { LetterReserve } from './reserve.ts';
import { LetterSpace, SPACE_PRAGMAS, STEP_MS } from './space.ts';

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
const DELETE =
  'delete from letters where id = ? and output = coalesce(?, output) and rule = coalesce(?, rule) returning output';

/** Where a letter stands by its age. */
export interface Buried {
  at: number;
  id: number;
}

/** How far a piece of a removal has come. */
export interface Removal {
  /** Of the ids, so many from the first on are done with. */
  seen: number;
  /** So many letters are gone. */
  removed: number;
}

/** The file is of a version to come. */
class UnknownSchema extends Error {}

export class LetterStore {
  /** Letters per output, kept so that metrics need not count rows. */
  readonly #counts = new Map<string, number>();
  #total = 0;
  readonly space: LetterSpace;
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;

  /** Opens the file, or `:memory:`, and makes what is missing. `durable`: a letter survives a power failure. */
  static open(path: string, durable: boolean): LetterStore {
    if (path === ':memory:') return LetterStore.#open(path, durable);
    const reserve = new LetterReserve(`${path}-reserve`);
    try {
      return LetterStore.#open(path, durable, reserve);
    } catch (error) {
      if (!isNoRoom(error)) throw error;
    }
    // The files beside the database have to be made, also where letters are only to be removed.
    return reserve.lend(() => LetterStore.#open(path, durable, reserve));
  }

  static #open(path: string, durable: boolean, reserve?: LetterReserve): LetterStore {
    const { DatabaseSync } = loadSqlite();
    const db = new DatabaseSync(path, { timeout: BUSY_MS });
    try {
      db.exec(SPACE_PRAGMAS);
      // With WAL, NORMAL survives the end of the process and FULL also a power failure (sqlite.org/pragma.html).
      db.exec(`pragma journal_mode = wal; pragma synchronous = ${durable ? 'full' : 'normal'};`);
      // A full disk must not keep the letters that there are from being read.
      if (versionOf(db) < SCHEMA_VERSION) db.exec(SCHEMA);
      return new LetterStore(db, reserve);
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

  private constructor(db: DatabaseSync, reserve?: LetterReserve) {
    this.#db = db;
    this.space = new LetterSpace(db, reserve);
    this.#insert = db.prepare(INSERT);
    this.#delete = db.prepare(DELETE);
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

  /** The newest id that was given; 0 when there was none. */
  get lastId(): number {
    const row = this.#db.prepare(`select seq from sqlite_sequence where name = 'letters'`).get();
    return Number(row?.seq ?? 0);
  }

  /** Gives no id up to this one, in a box that is empty. */
  startAfter(id: number): void {
    this.#db.prepare(`insert into sqlite_sequence (name, seq) values ('letters', ?)`).run(id);
  }

  /** At most `limit` ids before one, newest first; of an output where one is named. */
  idsBefore(id: number, limit: number, output?: string): number[] {
    const [where, values] = output === undefined ? ['', []] : ['output = ? and ', [output]];
    return this.#ids(`${where}id < ? order by id desc limit ?`, [...values, id, limit]);
  }

  /** The oldest ids. */
  oldest(limit: number): number[] {
    return this.#ids('true order by id limit ?', [limit]);
  }

  /** Letters that were buried before a time, the oldest first. */
  buriedBefore(time: number, limit: number): Buried[] {
    return this.#db
      .prepare('select id, buried_at from letters where buried_at < ? order by buried_at limit ?')
      .all(time, limit)
      .map(toBuried);
  }

  /** Letters buried since a time that come before one, the latest first. */
  buriedSince(time: number, before: Buried, limit: number): Buried[] {
    return this.#db
      .prepare(
        `select id, buried_at from letters where buried_at >= ? and (buried_at, id) < (?, ?)
        order by buried_at desc, id desc limit ?`,
      )
      .all(time, before.at, before.id, limit)
      .map(toBuried);
  }

  /**
   * Removes letters, one after the other, for as long as a piece of work may take.
   * @param fits those that are not of this output or rule stay
   * @param isEnough asked before each but the first
   */
  remove(
    ids: readonly number[],
    { output, rule }: Pick<DeadLetterFilter, 'output' | 'rule'> = {},
    isEnough: (removed: number) => boolean = () => false,
  ): Removal {
    const { removal, of } = this.space.remove(most => {
      const end = performance.now() + STEP_MS;
      const of = new Map<string, number>();
      let [seen, removed] = [0, 0];
      while (seen < Math.min(ids.length, most)) {
        const row = this.#delete.get(ids[seen++]!, output ?? null, rule ?? null);
        if (row) {
          removed++;
          of.set(String(row.output), (of.get(String(row.output)) ?? 0) + 1);
        }
        if (performance.now() >= end || isEnough(removed)) break;
      }
      return { removal: { seen, removed }, of };
    });
    for (const [name, letters] of of) this.#counted(name, -letters);
    return removal;
  }

  close(): void {
    this.#db.close();
  }

  #ids(where: string, values: SQLInputValue[]): number[] {
    const rows = this.#db.prepare(`select id from letters where ${where}`).all(...values);
    return rows.map(row => Number(row.id));
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

/** SQLite takes a file beside the database that cannot grow for an I/O error. */
function isNoRoom(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_FULL || code === SQLITE_IOERR;
}

/** 0: nothing is in it. */
function versionOf(db: DatabaseSync): number {
  const version = Number(db.prepare('pragma user_version').get()?.user_version);
  if (version > SCHEMA_VERSION) throw new UnknownSchema(`dead letters of version ${version}`);
  return version;
}

function toBuried(row: Record<string, unknown>): Buried {
  return { id: Number(row.id), at: Number(row.buried_at) };
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
