/** Dead letters in SQLite: what wants queries rather than order. */
import { existsSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { decodeAlert } from '../alert.ts';
import type { Clock, Logger } from '../contract.ts';
import type { DeadLetter, DeadLetterFilter, DeadLetters } from './contract.ts';
import { LetterPage } from './letter-page.ts';
import { loadSqlite, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode } from './sqlite.ts';

export interface DeadLetterOptions {
  /** A file, or `:memory:`. */
  path: string;
  /** 0: no limit. */
  maxCount: number;
  /** 0: no limit. */
  maxAgeMs: number;
  /** True: a stored letter survives a power failure. */
  durable: boolean;
  clock: Clock;
  log: Logger;
  /** Moves a file that is no database out of the way. */
  setAside(path: string, why: string): void;
}

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
const PRUNE_INTERVAL_MS = 60_000;

interface Store {
  db: DatabaseSync;
  insert: StatementSync;
  /** Letters per output, kept so that metrics need not count rows. */
  counts: Map<string, number>;
  total: number;
}

export class SqliteDeadLetters implements DeadLetters {
  readonly #options: DeadLetterOptions;
  #store: Store | undefined;
  #closed = false;
  #prunedAt = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Letters dropped because there were too many or they were too old, since the process started. */
  dropped = 0;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
  }

  async add(letter: Omit<DeadLetter, 'id'>): Promise<number> {
    const store = this.#open();
    const { output, alert, error, reason, attempts, buriedAt } = letter;
    const result = store.insert.run(output, alert.rule, alert.bytes, error, reason, attempts, buriedAt);
    count(store, output, 1);
    this.#prune(store);
    return Number(result.lastInsertRowid);
  }

  async list(filter: DeadLetterFilter = {}): Promise<DeadLetter[]> {
    const store = this.#existing();
    if (!store) return [];
    const page = new LetterPage(filter);
    if (page.isFull) return [];
    const { where, values } = toSql(filter);
    const rows = store.db.prepare(`select * from letters where ${where} order by id desc`).iterate(...values);
    for (const row of rows) {
      const letter = this.#toLetter(row);
      if (letter) page.add(letter);
      // Not before the row: it would be read in full, and for nothing.
      if (page.isFull) break;
    }
    return page.letters;
  }

  count(output?: string): number {
    const store = this.#existing();
    if (!store) return 0;
    return output === undefined ? store.total : (store.counts.get(output) ?? 0);
  }

  async tally(filter: DeadLetterFilter): Promise<Map<string, number>> {
    const store = this.#existing();
    if (!store) return new Map();
    const { where, values } = toSql(filter);
    const rows = store.db
      .prepare(`select output, count(*) as letters from letters where ${where} group by output`)
      .all(...values);
    return new Map(rows.map(row => [String(row.output), Number(row.letters)]));
  }

  async remove(filter: DeadLetterFilter): Promise<number> {
    const store = this.#existing();
    if (!store) return 0;
    const { where, values } = toSql(filter);
    return deleteWhere(store, `${where} order by id desc limit ?`, [...values, toLimit(filter.limit)]);
  }

  /** Closes the file; safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#store?.db.close();
    this.#store = undefined;
  }

  /** The store if there is anything in it: asking for letters creates no file. */
  #existing(): Store | undefined {
    if (this.#store) return this.#store;
    const { path } = this.#options;
    return !this.#closed && path !== ':memory:' && existsSync(path) ? this.#open() : undefined;
  }

  #open(): Store {
    if (this.#closed) throw new Error('the dead letters are closed');
    if (this.#store) return this.#store;
    try {
      this.#store = openStore(this.#options);
    } catch (error) {
      const code = sqliteCode(error);
      const isBad = code === SQLITE_CORRUPT || code === SQLITE_NOTADB || error instanceof UnknownSchema;
      if (!isBad) throw error;
      this.#options.setAside(this.#options.path, (error as Error).message);
      this.#store = openStore(this.#options);
    }
    return this.#store;
  }

  #prune(store: Store): void {
    const { maxCount, maxAgeMs, clock, log } = this.#options;
    const now = clock.now();
    let gone = 0;
    if (maxCount > 0 && store.total > maxCount)
      gone += deleteWhere(store, 'true order by id limit ?', [store.total - maxCount]);
    if (maxAgeMs > 0 && Math.abs(now - this.#prunedAt) >= PRUNE_INTERVAL_MS) {
      this.#prunedAt = now;
      gone += deleteWhere(store, 'buried_at < ?', [now - maxAgeMs]);
    }
    this.dropped += gone;
    if (gone > 0 && Math.abs(now - this.#toldAt) >= PRUNE_INTERVAL_MS) {
      this.#toldAt = now;
      log.warn({ dropped: this.dropped, kept: store.total }, 'the oldest dead letters were dropped');
    }
  }

  #toLetter(row: Record<string, unknown>): DeadLetter | undefined {
    try {
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
    } catch (error) {
      this.#options.log.error(
        { id: row.id, error: (error as Error).message },
        'a dead letter cannot be read',
      );
      return undefined;
    }
  }
}

class UnknownSchema extends Error {}

function openStore({ path, durable }: DeadLetterOptions): Store {
  const { DatabaseSync } = loadSqlite();
  const db = new DatabaseSync(path, { timeout: 1_000 });
  try {
    // With WAL, NORMAL survives the end of the process and FULL also a power failure (sqlite.org/pragma.html).
    db.exec(`pragma journal_mode = wal; pragma synchronous = ${durable ? 'full' : 'normal'};`);
    const version = Number(db.prepare('pragma user_version').get()?.user_version);
    if (version > SCHEMA_VERSION) throw new UnknownSchema(`dead letters of version ${version}`);
    db.exec(SCHEMA);
    const store: Store = { db, insert: db.prepare(INSERT), counts: new Map(), total: 0 };
    for (const row of db.prepare('select output, count(*) as letters from letters group by output').all()) {
      count(store, String(row.output), Number(row.letters));
    }
    return store;
  } catch (error) {
    db.close();
    throw error;
  }
}

const INSERT =
  'insert into letters (output, rule, alert, error, reason, attempts, buried_at) values (?, ?, ?, ?, ?, ?, ?)';

function deleteWhere(store: Store, where: string, values: SQLInputValue[]): number {
  const rows = store.db
    .prepare(`delete from letters where id in (select id from letters where ${where}) returning output`)
    .all(...values);
  for (const row of rows) count(store, String(row.output), -1);
  return rows.length;
}

function count(store: Store, output: string, letters: number): void {
  const found = (store.counts.get(output) ?? 0) + letters;
  if (found > 0) store.counts.set(output, found);
  else store.counts.delete(output);
  store.total += letters;
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
