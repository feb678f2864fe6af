/** Keep-alive connections to one origin, and the requests that wait for one. */
import { RetriableError } from '../../errors.ts';
import {
  type AnswerHandler,
  Connection,
  type ConnectionOwner,
  type Controller,
  type Endpoint,
} from './connection.ts';
import { encodeRequest, type WireRequest } from './request.ts';

export interface WirePoolOptions {
  /** Scheme, host and port. */
  origin: URL;
  /** Most connections at once. */
  connections: number;
  /** How long a connection stays without a request; a far side's shorter limit goes first. */
  keepAliveMs: number;
  connectTimeoutMs: number;
  bodyTimeoutMs: number;
  /** TLS of a new connection. @throws Error when the certificates cannot be used */
  tls(): NonNullable<Endpoint['tls']>;
}

interface Waiting {
  request: Buffer;
  handler: AnswerHandler;
}

/** Connections on their way at once: more would be opened for a burst than its answers need. */
const MAX_CONNECTING = 8;
/** How often connections that nobody needs are looked for. */
const SWEEP_MS = 5_000;

export class WirePool implements ConnectionOwner {
  readonly #options: WirePoolOptions;
  readonly #all = new Set<Connection>();
  /** The one used last is used next, so that those left over come to their end. */
  readonly #idle: Connection[] = [];
  readonly #connecting = new Set<Connection>();
  #queue: Waiting[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  #session: { context: unknown; bytes: Buffer } | undefined;
  #context: unknown;
  #isClosed = false;

  constructor(options: WirePoolOptions) {
    this.#options = options;
  }

  /**
   * Sends a request as soon as a connection is free.
   * @throws WireError when the request cannot be written, Error when the TLS settings cannot be used
   */
  dispatch(request: WireRequest, handler: AnswerHandler): void {
    if (this.#isClosed) throw closed();
    const bytes = encodeRequest(request, this.#options.origin.host);
    const connection = this.#takeIdle();
    if (connection) {
      connection.send(bytes, handler);
      return;
    }
    this.#queue.push({ request: bytes, handler });
    this.#connect();
  }

  /** Takes no more requests; those under way may end. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) this.#end(connection);
    if (this.#all.size === 0) clearInterval(this.#sweeper);
  }

  /** Ends everything at once. */
  destroy(): void {
    this.close();
    const waiting = this.#queue;
    this.#queue = [];
    for (const connection of [...this.#all]) connection.abort(closed());
    clearInterval(this.#sweeper);
    for (const { handler } of waiting) handler.onResponseError(NOTHING_TO_ABORT, closed());
  }

  ready(connection: Connection): void {
    this.#connecting.delete(connection);
    const next = this.#queue.shift();
    if (next) {
      connection.send(next.request, next.handler);
      this.#connect();
      return;
    }
    if (this.#isClosed) {
      this.#end(connection);
      return;
    }
    connection.idleSince = performance.now();
    this.#idle.push(connection);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  gone(connection: Connection, error: Error | undefined): void {
    this.#all.delete(connection);
    this.#connecting.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    // It was opened for one of those that wait.
    if (error) this.#queue.shift()?.handler.onResponseError(NOTHING_TO_ABORT, error);
    this.#connect();
  }

  session(bytes: Buffer): void {
    this.#session = { context: this.#context, bytes };
  }

  #takeIdle(): Connection | undefined {
    const now = performance.now();
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (this.#isFresh(connection, now)) return connection;
      this.#end(connection);
    }
    return undefined;
  }

  #isFresh({ idleSince, keepAliveMs }: Connection, now: number): boolean {
    return now - idleSince < Math.min(this.#options.keepAliveMs, keepAliveMs);
  }

  #end(connection: Connection): void {
    this.#all.delete(connection);
    connection.close();
  }

  /** Opens connections for those that wait. */
  #connect(): void {
    const { connections, origin, connectTimeoutMs, bodyTimeoutMs } = this.#options;
    while (
      this.#queue.length > this.#connecting.size &&
      this.#connecting.size < MAX_CONNECTING &&
      this.#all.size < connections
    ) {
      let tls: Endpoint['tls'];
      try {
        tls = origin.protocol === 'https:' ? this.#options.tls() : undefined;
      } catch (error) {
        this.#queue.shift()!.handler.onResponseError(NOTHING_TO_ABORT, error as Error);
        continue;
      }
      // A session belongs to the certificates that it was made with.
      this.#context = tls?.secureContext;
      const session = this.#session?.context === this.#context ? this.#session?.bytes : undefined;
      const port = Number(origin.port) || (tls ? 443 : 80);
      const endpoint = { hostname: origin.hostname, port, tls, session, connectTimeoutMs, bodyTimeoutMs };
      const connection = new Connection(endpoint, this);
      this.#all.add(connection);
      this.#connecting.add(connection);
    }
  }

  #sweep(): void {
    const now = performance.now();
    const old = this.#idle.filter(connection => !this.#isFresh(connection, now));
    for (const connection of old) {
      this.#idle.splice(this.#idle.indexOf(connection), 1);
      this.#end(connection);
    }
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

const NOTHING_TO_ABORT: Controller = { abort: () => {} };

function closed(): RetriableError {
  return new RetriableError('the client is closed', { reason: 'other' });
}
