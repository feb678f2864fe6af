/** The one connection of the output: opened when first needed, kept, and told of when it breaks. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Cancellation, Logger } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { untilAborted } from '../_kit/settle.ts';

export interface LinkOptions {
  /** Connects once; the connection reconnects by itself from then on. */
  connect(): Promise<NatsConnection>;
  log: Logger;
}

/**
 * The client throws away what was published while it is not connected, and tells nobody. So nothing is published
 * then, and whatever is under way when the connection breaks fails at once.
 */
export class NatsLink {
  readonly #options: LinkOptions;
  readonly #watchers = new Set<(subject: string) => void>();
  #connection: Promise<NatsConnection> | undefined;
  /** Aborted from a break until the client has reconnected. */
  #broken = new AbortController();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Runs work on the connection; it ends early when the connection breaks or the signal aborts.
   * @throws whatever the work or the client throws, RetriableError when cut short
   */
  async use<T>(work: (connection: NatsConnection) => Promise<T>, signal: Cancellation): Promise<T> {
    const connection = await untilAborted(this.#open(), signal);
    try {
      return await untilAborted(this.#unlessBroken(work, connection), signal);
    } catch (error) {
      // The server may be gone without a word; a fresh connection finds out.
      if (signal.aborted) await connection.reconnect().catch(() => undefined);
      throw error;
    }
  }

  /** Calls back with each subject that the server forbids, until the returned function is called. */
  watchDenied(watcher: (subject: string) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    this.#connection = undefined;
    await connection?.close();
  }

  #open(): Promise<NatsConnection> {
    if (this.#connection) return this.#connection;
    const opening = this.#options.connect();
    const forget = () => {
      if (this.#connection === opening) this.#connection = undefined;
    };
    this.#connection = opening;
    opening.then(connection => {
      this.#broken = new AbortController();
      void this.#watch(connection);
      // The client gives up for good when its credentials are refused twice; the next send starts over.
      void connection.closed().then(() => {
        this.#broken.abort();
        forget();
      });
    }, forget);
    return opening;
  }

  #unlessBroken<T>(work: (connection: NatsConnection) => Promise<T>, connection: NatsConnection) {
    const { signal } = this.#broken;
    return new Promise<T>((resolve, reject) => {
      const lost = () => reject(new RetriableError('the connection was lost', { reason: 'network' }));
      if (signal.aborted) return lost();
      signal.addEventListener('abort', lost, { once: true });
      work(connection)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', lost));
    });
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        this.#broken.abort();
        this.#options.log.debug({ server: status.server }, 'connection lost');
      } else if (status.type === 'reconnect') {
        this.#broken = new AbortController();
        this.#options.log.debug({ server: status.server }, 'connected again');
      } else if (status.type === 'error' && isDenied(status.error)) {
        for (const watcher of this.#watchers) watcher(status.error.subject);
      }
    }
  }
}

/** The server forbids a subject to what was published; the client's class of that name. */
function isDenied(error: Error): error is Error & { subject: string } {
  return error.name === 'PermissionViolationError' && 'operation' in error && error.operation === 'publish';
}
