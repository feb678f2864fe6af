/** One connection to PostgreSQL, from signing in to hanging up. */
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type * as Pg from 'pg';
import type { TlsSettings } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { hangUp, type Link } from '../_kit/link.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import {
  changed,
  isAboutColumns,
  isWrongServer,
  mayDoWithoutTls,
  missingColumn,
  toFailure,
} from './failures.ts';
import type { Columns } from './row.ts';
import { quote } from './statement.ts';

const CONNECT_MS = 5000;
const CLOSE_MS = 2000;
/**
 * An INSERT whose try has ended waits for its locks no longer than a try of 10 s does; as no COMMIT follows, it leaves no
 * rows. Set for the transaction alone: behind PgBouncer the next one may be another client's, pgbouncer.org/features.html.
 */
const BEGIN = 'BEGIN; SET LOCAL statement_timeout = 8000';

/** libpq's names, see postgresql.org/docs/current/libpq-ssl.html. */
export const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface SessionOptions {
  Client: typeof Pg.Client;
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  table: readonly string[];
  /** TLS to be tried, one after the other; undefined: none. */
  ways: readonly (ConnectionOptions | undefined)[];
}

/** What a mode means: the kinds of connection in the order in which they are tried. */
export function toWays(mode: SslMode, host: string, tls: TlsSettings): (ConnectionOptions | undefined)[] {
  if (mode === 'disable') return [undefined];
  const verified = mode.startsWith('verify') && tls.verify;
  const options: ConnectionOptions = {
    ...toTlsOptions({ ...tls, verify: verified }),
    // pg compares with the host and knows of no other name.
    checkServerIdentity: (_host, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(tls.serverName ?? host, certificate) : undefined,
  };
  return mode === 'prefer' ? [options, undefined] : [options];
}

/**
 * Connects, signs in and looks at the table. As in libpq, a server that has no TLS, or turns the encrypted connection
 * down, is asked for a plain one where the mode allows it.
 * @throws RetriableError
 */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const [way, ...others] = options.ways;
  try {
    return await openOne(options, way, signal);
  } catch (error) {
    const [failure, other] = [toFailure(error), others.length > 0 && mayDoWithoutTls(error)];
    if (!other || signal.aborted) throw failure;
    return openSession({ ...options, ways: others }, signal);
  }
}

async function openOne(
  { Client, host, port, user, password, database, table }: SessionOptions,
  ssl: ConnectionOptions | undefined,
  signal: AbortSignal,
): Promise<Session> {
  const client = new Client({
    ...{ host, port, user, password, database },
    ssl: ssl ?? false,
    application_name: 'tiercel',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  });
  const session = new Session(client, table);
  const giveUp = () => session.destroy();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    if (signal.aborted) throw new RetriableError('the output is closed', { reason: 'network' });
    await client.connect();
    await session.look();
    return session;
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

export class Session implements Link {
  readonly #client: Pg.Client;
  readonly #table: readonly string[];
  readonly #lost = new AbortController();
  #columns: Columns = new Map();

  constructor(client: Pg.Client, table: readonly string[]) {
    this.#client = client;
    this.#table = table;
    client.on('error', error => this.#lose(error));
    client.on('end', () => this.#lose(undefined));
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Of the table, as it was when the connection was made or a statement was last refused for them. */
  get columns(): Columns {
    return this.#columns;
  }

  /** Looks at the table. @throws the client's error, RetriableError when there is no such table */
  async look(): Promise<void> {
    const found = await this.#client.query<{ name: string | null; type: string }>(
      `SELECT a.attname AS name, t.typname AS type FROM (SELECT to_regclass($1) AS id) c
       LEFT JOIN pg_attribute a ON a.attrelid = c.id AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_type t ON t.oid = a.atttypid`,
      [this.#table.map(quote).join('.')],
    );
    const columns = found.rows.flatMap(({ name, type }): [string, string][] =>
      name === null ? [] : [[name, type]],
    );
    if (columns.length === 0) throw noTable();
    this.#columns = new Map(columns);
  }

  /** Asks for the right to insert. @throws RetriableError */
  async check(): Promise<void> {
    const name = this.#table.map(quote).join('.');
    const answer = await this.#client
      .query<{ may: boolean | null }>(`SELECT has_any_column_privilege(to_regclass($1), 'INSERT') AS may`, [
        name,
      ])
      .catch(error => {
        throw toFailure(error);
      });
    const may = answer.rows[0]?.may;
    if (may) return;
    if (may === false) throw new RetriableError('the user may not insert into the table', { reason: 'auth' });
    throw noTable();
  }

  /**
   * Runs one statement in a transaction.
   * @throws the client's error; RetriableError for a table that wants a column which it did not have
   */
  async run(statement: { text: string; values: (string | null)[] }): Promise<void> {
    try {
      await this.#client.query(BEGIN);
      await this.#client.query(statement);
      await this.#client.query('COMMIT');
    } catch (error) {
      if (isWrongServer(error)) this.destroy();
      // Of no use on a connection that is gone.
      else await this.#client.query('ROLLBACK').catch(() => this.destroy());
      throw (await this.#hasGrown(error)) ? changed(error) : error;
    }
  }

  close(): Promise<void> {
    return hangUp(this, () => this.#client.end(), CLOSE_MS);
  }

  destroy(): void {
    this.#lose(undefined);
  }

  /** Whether a row was refused for want of a column that the table did not have before. */
  async #hasGrown(refusal: unknown): Promise<boolean> {
    const missing = missingColumn(refusal);
    const isNew = missing !== undefined && !this.#columns.has(missing);
    if (!isNew && !isAboutColumns(refusal)) return false;
    await this.look().catch(() => undefined);
    // Else it is a column of another table, into which a trigger writes.
    return isNew && this.#columns.has(missing);
  }

  #lose(error: unknown): void {
    if (this.lost.aborted) return;
    this.#lost.abort(
      toFailure(error ?? new RetriableError('the connection was lost', { reason: 'network' })),
    );
    // Ends the socket at once, which fails what is under way; `end` would wait for it.
    (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}

function noTable(): RetriableError {
  return new RetriableError('the table does not exist', { reason: 'client_error' });
}
