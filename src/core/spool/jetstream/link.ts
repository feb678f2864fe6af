/** The connection of the spool: kept up for as long as the process lives, usable once the streams are in order. */

import { setTimeout as sleep } from 'node:timers/promises';
import type * as JetStream from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type * as Transport from '@nats-io/transport-node';
import type { Logger } from '../../contract.ts';
import { toFailure } from '../../nats/failures.ts';
import { UnfitStreamError } from './setup.ts';

export interface Session {
  connection: Transport.NatsConnection;
  jetstream: JetStreamClient;
  manager: JetStreamManager;
}

export interface LinkOptions {
  jetstream: typeof JetStream;
  connect(): Promise<Transport.NatsConnection>;
  log: Logger;
  /** Puts in order what has to be on the server. Called after every connect; what it throws is tried again. */
  prepare(session: Session): Promise<void>;
  /** The session can be used from here on. */
  up(session: Session): void;
  /** It cannot any more; whatever is under way has an unknown end. */
  down(): void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 3_000;
/**
 * A server tells of a deletion before it is done with it, and takes down what is made under the same name meanwhile:
 * with nats-server 2.9.10, in 8 of 300 trials without this wait, the new consumer handed out nothing, or the new stream
 * had lost its folder.
 */
const DELETION_MS = 2_000;
/** Longest wait for an answer of JetStream's API. */
const API_TIMEOUT_MS = 5_000;

export class Link {
  readonly #options: LinkOptions;
  readonly #life = new AbortController();
  #connection: Transport.NatsConnection | undefined;
  #session: Session | undefined;
  #fault: string | undefined = 'not connected to NATS yet';
  /** Counts what changes the connection: a preparation that began before is not to end in a session. */
  #generation = 0;
  #running: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Undefined while there is none that could be used. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Why there is no session. */
  get fault(): string | undefined {
    return this.#session ? undefined : this.#fault;
  }

  /** Starts to connect, and resolves when that has worked or failed once. */
  async open(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve);
    await promise;
  }

  async close(): Promise<void> {
    this.#generation++;
    this.#session = undefined;
    this.#life.abort();
    await this.#connection?.close();
    await this.#running;
  }

  /** The streams or consumers are not what they were: everything is put in order again, in a while. */
  renew(): void {
    if (!this.#session) return;
    this.#broken('something on the server has to be put in order');
    void this.#prepareLater();
  }

  async #run(tried: () => void): Promise<void> {
    for (let attempt = 0; !this.#life.signal.aborted; attempt++) {
      try {
        const connection = await this.#options.connect();
        if (this.#life.signal.aborted) return await connection.close();
        attempt = 0;
        this.#connection = connection;
        void this.#watch(connection);
        void this.#prepare(tried);
        // The client gives up for good when its credentials are refused twice; then this starts over.
        const error = await connection.closed();
        if (this.#life.signal.aborted) return;
        this.#broken(error ? toFailure(error).message : 'the connection was closed');
      } catch (error) {
        this.#failed(error);
      }
      tried();
      await this.#pause(attempt);
    }
  }

  async #watch(connection: Transport.NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#broken('the connection was lost');
      else if (status.type === 'reconnect') void this.#prepare(() => undefined);
    }
  }

  async #prepareLater(): Promise<void> {
    const generation = this.#generation;
    const { signal } = this.#life;
    await sleep(DELETION_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (generation === this.#generation) await this.#prepare(() => undefined);
  }

  async #prepare(tried: () => void): Promise<void> {
    const generation = ++this.#generation;
    const connection = this.#connection!;
    const isStale = () => generation !== this.#generation || connection.isClosed();
    const { jetstream } = this.#options;
    const settings = { timeout: API_TIMEOUT_MS, checkAPI: false };
    for (let attempt = 0; ; attempt++) {
      try {
        const manager = await jetstream.jetstreamManager(connection, settings);
        const session = { connection, manager, jetstream: jetstream.jetstream(connection, settings) };
        await this.#options.prepare(session);
        if (isStale()) return;
        this.#session = session;
        this.#fault = undefined;
        this.#options.log.info({ server: connection.getServer() }, 'connected to the log on NATS');
        this.#options.up(session);
        tried();
        return;
      } catch (error) {
        if (isStale()) return;
        this.#failed(error);
        tried();
        await this.#pause(attempt);
        if (isStale()) return;
      }
    }
  }

  #broken(why: string): void {
    this.#generation++;
    this.#tell(why);
    if (!this.#session) return;
    this.#session = undefined;
    this.#options.down();
  }

  #failed(error: unknown): void {
    this.#tell(error instanceof UnfitStreamError ? error.message : toFailure(error).message);
  }

  /** Logs a new reason once. */
  #tell(fault: string): void {
    if (this.#fault === fault || this.#life.signal.aborted) return;
    this.#fault = fault;
    this.#options.log.warn(
      { fault },
      'the log on NATS cannot be reached; alerts are kept in the local buffer',
    );
  }

  #pause(attempt: number): Promise<unknown> {
    const ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
    return sleep(ms, undefined, { signal: this.#life.signal, ref: false }).catch(() => undefined);
  }
}
