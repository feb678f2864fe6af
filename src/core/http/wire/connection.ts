/** One keep-alive connection: carries a request at a time and reads its answer. */

import type { IncomingHttpHeaders } from 'node:http';
import net, { isIP, type OnReadOpts, type Socket } from 'node:net';
import tls, { type SecureContext } from 'node:tls';
import { bareHost } from '../../url-parts.ts';
import { AnswerReader, type AnswerSink } from './answer-reader.ts';
import { WireError } from './failure.ts';

/** Lets the one who is told of an answer give it up. */
export interface Controller {
  abort(reason: Error): void;
}

/** Told of one request's answer; either `onResponseEnd` or `onResponseError` is the last call. */
export interface AnswerHandler {
  /** Its answer may take its time: silences within the body are limited, not all of it. */
  readonly isLong?: boolean;
  /** Called again, with another controller, when a request that has waited for a connection goes out. */
  onRequestStart(controller: Controller): void;
  onResponseStart(controller: Controller, status: number, headers: IncomingHttpHeaders): void;
  /** The chunk is only lent for the time of the call. */
  onResponseData(controller: Controller, chunk: Buffer): void;
  onResponseEnd(controller: Controller): void;
  onResponseError(controller: Controller, error: Error): void;
}

/** Where to connect to, and how. */
export interface Endpoint {
  hostname: string;
  port: number;
  /** Undefined for plain TCP. */
  tls: { secureContext: SecureContext; rejectUnauthorized: boolean; servername?: string } | undefined;
  /** A TLS session to take up again. */
  session: Buffer | undefined;
  connectTimeoutMs: number;
  /** Longest time for the body of an answer; of a long one, longest silence within it. */
  bodyTimeoutMs: number;
}

/** Told of the connection's life. */
export interface ConnectionOwner {
  /** It can carry a request. */
  ready(connection: Connection): void;
  /** It cannot any more; with an error when it never could. */
  gone(connection: Connection, error: Error | undefined): void;
  /**
   * A kept connection has ended before a byte of the answer to a request: it may be sent once more, over a new one.
   * False when nothing more is sent.
   */
  repeat(request: Buffer | string, handler: AnswerHandler): boolean;
  /** The far side has handed out a session, which holds for those certificates only. */
  session(session: Buffer, context: SecureContext): void;
}

/** How the far side's end of a connection shows, whichever way it is noticed. */
const ENDED = new Set<unknown>(['WIRE_CLOSED', 'ECONNRESET', 'EPIPE']);

const PROBE_AFTER_MS = 60_000;
/** A server's own limit is taken to be this much shorter, so that a request does not meet its end. */
const HINT_MARGIN_MS = 1_000;

// One for all connections: what is read is used up before the next read.
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

export class Connection implements AnswerSink, Controller {
  /** When the last answer ended, on the monotonic clock. */
  idleSince = 0;
  /** How long the far side keeps it without a request, as far as it has told. */
  keepAliveMs = Number.POSITIVE_INFINITY;
  /** It has carried a request, or been left without one: the far side may end it at any time. */
  isKept = false;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #reader = new AnswerReader(this);
  readonly #bodyTimeoutMs: number;
  #handler: AnswerHandler | undefined;
  /** What was sent over the kept connection, as long as nothing has come back. */
  #unanswered: Buffer | string | undefined;
  #hasHead = false;
  #isOpen = false;
  #isGone = false;
  #failure: Error | undefined;
  #stall: NodeJS.Timeout | undefined;

  constructor(endpoint: Endpoint, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#bodyTimeoutMs = endpoint.bodyTimeoutMs;
    const socket = this.#open(endpoint);
    this.#socket = socket;
    const timer = setTimeout(
      () => socket.destroy(new WireError('WIRE_CONNECT_TIMEOUT', 'no connection in time')),
      endpoint.connectTimeoutMs,
    );
    socket.once(endpoint.tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      this.#isOpen = true;
      owner.ready(this);
    });
    const context = endpoint.tls?.secureContext;
    if (context) socket.on('session', (session: Buffer) => owner.session(session, context));
    socket.on('error', error => {
      this.#failure ??= error;
    });
    socket.on('end', () => this.#ended());
    socket.on('close', () => {
      clearTimeout(timer);
      this.#closed();
    });
  }

  /** False as soon as it is known that nothing more can be sent. */
  get isAlive(): boolean {
    return !this.#socket.destroyed;
  }

  /** Sends an encoded request: bytes, or text in Latin-1. The connection must be ready and without one. */
  send(request: Buffer | string, handler: AnswerHandler): void {
    this.#handler = handler;
    this.#hasHead = false;
    this.#unanswered = this.isKept ? request : undefined;
    this.isKept = true;
    handler.onRequestStart(this);
    if (this.#isGone) return;
    this.#reader.expect();
    // Without a callback: that would cost a tick of its own for each request.
    this.#socket.write(request, 'latin1');
  }

  /** Gives up the answer, and the connection with it. */
  abort(reason: Error): void {
    this.#unanswered = undefined;
    this.#failure ??= reason;
    this.#socket.destroy();
    this.#closed();
  }

  /** Ends a connection that carries no request. */
  close(): void {
    this.#isGone = true;
    // Not `end`, which would wait for the far side to close too.
    this.#socket.destroySoon();
  }

  head(status: number, headers: IncomingHttpHeaders): void {
    this.#hasHead = true;
    const hint = headers['keep-alive'];
    if (hint !== undefined) {
      const seconds = /timeout=(\d{1,6})/i.exec(String(hint))?.[1];
      if (seconds) this.keepAliveMs = Math.max(0, Number(seconds) * 1000 - HINT_MARGIN_MS);
    }
    this.#handler?.onResponseStart(this, status, headers);
  }

  data(chunk: Buffer): void {
    this.#handler?.onResponseData(this, chunk);
  }

  end(isReusable: boolean): void {
    const handler = this.#handler;
    this.#handler = undefined;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    if (!isReusable || this.#socket.destroyed) {
      this.#socket.destroy();
      this.#closed();
    }
    handler?.onResponseEnd(this);
    if (this.#isGone) return;
    // An answer may come before its request has gone out, which would mix with the next one.
    if (this.#socket.writableLength === 0) this.#owner.ready(this);
    // With TLS what has gone out is known at the end of the event loop's turn.
    else setImmediate(this.#onTurnEnd);
  }

  readonly #onTurnEnd = (): void => {
    if (this.#isGone || this.#socket.destroyed) return;
    if (this.#socket.writableLength === 0) {
      this.#owner.ready(this);
      return;
    }
    this.#watch();
    // Called when all before it has gone out.
    this.#socket.write('', this.#onFlushed);
  };

  readonly #onFlushed = (error?: Error | null): void => {
    if (error || this.#handler || this.#isGone) return;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#owner.ready(this);
  };

  #open({ hostname, port, tls: secure, session }: Endpoint): Socket {
    // The types of node:tls lack it; its documentation has it.
    const onread: OnReadOpts = { buffer: readBuffer, callback: (length: number) => this.#read(length) };
    const host = bareHost(hostname);
    const common = {
      host,
      port,
      onread,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    };
    if (!secure) return net.connect(common);
    const servername = secure.servername ?? (isIP(host) ? '' : host);
    return tls.connect({ ...common, ...secure, servername, session, ALPNProtocols: ['http/1.1'] });
  }

  #read(length: number): boolean {
    this.#unanswered = undefined;
    try {
      this.#reader.read(readBuffer.subarray(0, length));
    } catch (error) {
      this.abort(error as Error);
      return false;
    }
    if (this.#handler && this.#hasHead) this.#watch();
    return true;
  }

  /** The rest of a body has to come in time, and the rest of a request to go. */
  #watch(): void {
    if (this.#stall) {
      if (this.#handler?.isLong) this.#stall.refresh();
      return;
    }
    this.#stall = setTimeout(
      () => this.abort(new WireError('WIRE_BODY_TIMEOUT', 'the answer stalled')),
      this.#bodyTimeoutMs,
    );
  }

  #ended(): void {
    try {
      this.#reader.close();
    } catch (error) {
      this.#failure ??= error as Error;
    }
    this.#socket.destroy();
    this.#closed();
  }

  #closed(): void {
    if (this.#isGone && !this.#handler) return;
    this.#isGone = true;
    clearTimeout(this.#stall);
    const failure =
      this.#failure ?? new WireError('WIRE_CLOSED', 'the connection was closed before the answer');
    const handler = this.#handler;
    this.#handler = undefined;
    const request = ENDED.has((failure as NodeJS.ErrnoException).code) ? this.#unanswered : undefined;
    this.#unanswered = undefined;
    // Before the end is told, which opens connections for those that wait.
    const isRepeated = handler && request !== undefined && this.#owner.repeat(request, handler);
    this.#owner.gone(this, this.#isOpen ? undefined : failure);
    if (!isRepeated) handler?.onResponseError(this, failure);
  }
}
