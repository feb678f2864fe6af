/** Keep-alive connections to one origin, and the requests that wait for one. */
import type { SecureContext } from 'node:tls';
import { RetriableError } from '../../errors.ts';
import { type AnswerHandler, Connection, type ConnectionOwner, type Endpoint } from './connection.ts';
import { WireError } from './failure.ts';
import { RequestEncoder, type WireRequest } from './request.ts';
import { Waiting } from './waiting.ts';

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

/** Connections on their way at once: more would be opened for a burst than its answers need. */
const MAX_CONNECTING = 8;
/** How often connections that nobody needs are looked for. */
const SWEEP_MS = 5_000;

export class WirePool implements ConnectionOwner {
  readonly #options: WirePoolOptions;
  readonly #encoder: RequestEncoder;
  readonly #all = new Set<Connection>();
  /** The one used last is used next, so that those left over come to their end. */
  readonly #idle: Connection[] = [];
  /**
   * On their way for those that wait, the first one for the first: with the number of the last request that had come
   * when they began.
   */
  readonly #connecting = new Map<Connection, number>();
  /** On their way for requests that have been given up: welcome, but nobody waits for them. */
  readonly #spare = new Set<Connection>();
  /** In the order in which they came. */
  readonly #queue = new Set<Waiting>();
  /** Whose kept connection has ended: they go first, and only over a new one, as others that are kept may end too. */
  readonly #repeats = new Set<Waiting>();
  /** How many requests have waited. */
  #count = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #session: { context: SecureContext; bytes: Buffer } | undefined;
  #isClosed = false;

  constructor(options: WirePoolOptions) {
    this.#options = options;
    this.#encoder = new RequestEncoder(options.origin.host);
  }

  /**
   * Sends a request as soon as a connection is free.
   * @throws WireError when the request cannot be written, Error when the TLS settings cannot be used
   */
  dispatch(request: WireRequest, handler: AnswerHandler): void {
    if (this.#isClosed) throw closed();
    const bytes = this.#encoder.encode(request);
    const connection = this.#takeIdle();
    if (connection) {
      connection.send(bytes, handler);
      return;
    }
    this.#wait(this.#queue, bytes, handler);
    this.#connect();
  }

  /** Takes no more requests; those under way may end. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) this.#end(connection);
  }

  /** Ends everything at once. */
  destroy(): void {
    this.close();
    // First those that wait: the end of a connection would have another one opened for them.
    for (const waiting of this.#line()) this.#fail(waiting, closed());
    for (const connection of this.#all) connection.abort(closed());
    clearInterval(this.#sweeper);
  }

  ready(connection: Connection): void {
    const { isKept } = connection;
    if (!isKept) {
      this.#connecting.delete(connection);
      this.#spare.delete(connection);
    }
    const line = isKept || this.#repeats.size === 0 ? this.#queue : this.#repeats;
    const next = firstOf(line);
    if (next) {
      line.delete(next);
      connection.send(next.request, next.handler);
      this.#connect();
      return;
    }
    if (this.#isClosed) {
      this.#end(connection);
      return;
    }
    connection.isKept = true;
    connection.idleSince = performance.now();
    this.#idle.push(connection);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  gone(connection: Connection, error: Error | undefined): void {
    // Ended here, and told of late.
    if (!this.#all.delete(connection)) return;
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    // A far side that cannot take a session up again gets a new handshake the next time.
    if (error) this.#session = undefined;
    const begun = this.#connecting.get(connection);
    const waiting = begun === undefined ? undefined : this.#waitingFor(connection);
    this.#connecting.delete(connection);
    this.#spare.delete(connection);
    // Who has come since gets an attempt of its own.
    if (error && waiting && waiting.number <= begun!) this.#fail(waiting, error);
    this.#connect();
  }

  repeat(request: Buffer | string, handler: AnswerHandler): boolean {
    if (this.#isClosed) return false;
    this.#wait(this.#repeats, request, handler);
    return true;
  }

  session(bytes: Buffer, context: SecureContext): void {
    this.#session = { context, bytes };
  }

  #wait(where: Set<Waiting>, request: Buffer | string, handler: AnswerHandler): void {
    const waiting = new Waiting(request, handler, ++this.#count, this.#leave);
    where.add(waiting);
    handler.onRequestStart(waiting);
  }

  /** Those that wait, the next one first. */
  *#line(): Iterable<Waiting> {
    yield* this.#repeats;
    yield* this.#queue;
  }

  /** False when it does not wait any more. */
  #drop(waiting: Waiting): boolean {
    return this.#queue.delete(waiting) || this.#repeats.delete(waiting);
  }

  /** Each waiting request that a connection is on its way for, with that. */
  *#pairs(): Iterable<[Waiting, Connection]> {
    const connecting = this.#connecting.keys();
    for (const waiting of this.#line()) {
      const { value: connection } = connecting.next();
      if (!connection) return;
      yield [waiting, connection];
    }
  }

  #waitingFor(connection: Connection): Waiting | undefined {
    for (const [waiting, one] of this.#pairs()) if (one === connection) return waiting;
    return undefined;
  }

  /** A request is given up. What was on its way for it may never come: it must not keep the place of another. */
  readonly #leave = (waiting: Waiting): boolean => {
    for (const [one, connection] of this.#pairs()) {
      if (one !== waiting) continue;
      this.#connecting.delete(connection);
      this.#spare.add(connection);
      // Not at once: those behind it may be about to be given up, too.
      setImmediate(this.#connectLater);
      break;
    }
    return this.#drop(waiting);
  };

  readonly #connectLater = (): void => this.#connect();

  #fail(waiting: Waiting, error: Error): void {
    this.#drop(waiting);
    waiting.handler.onResponseError(waiting, error);
  }

  #takeIdle(): Connection | undefined {
    const now = performance.now();
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (this.#isFresh(connection, now)) return connection;
      this.#end(connection);
    }
    return undefined;
  }

  #isFresh({ isAlive, idleSince, keepAliveMs }: Connection, now: number): boolean {
    return isAlive && now - idleSince < Math.min(this.#options.keepAliveMs, keepAliveMs);
  }

  #end(connection: Connection): void {
    this.#all.delete(connection);
    connection.close();
  }

  /** Opens connections for those that wait. */
  #connect(): void {
    while (
      this.#repeats.size + this.#queue.size > this.#connecting.size &&
      this.#connecting.size < MAX_CONNECTING &&
      this.#hasRoom()
    ) {
      try {
        const connection = new Connection(this.#endpoint(), this);
        this.#all.add(connection);
        this.#connecting.set(connection, this.#count);
      } catch (error) {
        this.#fail((firstOf(this.#repeats) ?? firstOf(this.#queue))!, error as Error);
      }
    }
  }

  /** For one more connection; a spare one goes for it. */
  #hasRoom(): boolean {
    if (this.#all.size < this.#options.connections) return true;
    const spare = firstOf(this.#spare);
    if (!spare) return false;
    this.#spare.delete(spare);
    this.#all.delete(spare);
    spare.abort(new WireError('WIRE_CLOSED', 'nobody waits for the connection'));
    return true;
  }

  /** @throws Error when the TLS settings cannot be used */
  #endpoint(): Endpoint {
    const { origin, connectTimeoutMs, bodyTimeoutMs } = this.#options;
    const tls = origin.protocol === 'https:' ? this.#options.tls() : undefined;
    const port = Number(origin.port) || (tls ? 443 : 80);
    // A session belongs to the certificates that it was made with.
    const session = this.#session?.context === tls?.secureContext ? this.#session?.bytes : undefined;
    return { hostname: origin.hostname, port, tls, session, connectTimeoutMs, bodyTimeoutMs };
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

function firstOf<T>(all: ReadonlySet<T>): T | undefined {
  return all.size > 0 ? all.values().next().value : undefined;
}

function closed(): RetriableError {
  return new RetriableError('the client is closed', { reason: 'other' });
}
