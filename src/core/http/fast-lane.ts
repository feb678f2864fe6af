/**
 * The short way in: connections whose requests are simple are read and answered here, at half the CPU time of node:http.
 * Whatever is not simple (other paths and methods, chunked or packed bodies, anything to refuse) goes to node:http, with
 * its connection and every byte that has not been answered: there is one place that judges requests, and it is not this.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { MAX_SIMPLE_BODY, readSimpleHead, type SimpleHead } from './simple-request.ts';

/** An answer other than 200. */
export interface Denied {
  status: number;
  message: string;
  headers?: Readonly<Record<string, string>> | undefined;
}

export interface FastLaneOptions {
  /** Whether the sender may post here, and there is room for what it sends. */
  admits(head: SimpleHead): boolean;
  /**
   * Takes a body. False when there is anything to refuse: nothing has happened then. Otherwise calls `answer` once,
   * later, with nothing when the alerts are safe.
   */
  offer(body: string, from: { socket: Socket; head: SimpleHead }, answer: (denied?: Denied) => void): boolean;
  /** Where a request that is not whole yet may wait before node:http looks after it, in milliseconds. */
  patienceMs: number;
  /** How long a connection may stay without a request, in milliseconds. */
  idleMs(): number;
  now(): number;
}

const BLANK_LINE = Buffer.from('\r\n\r\n');
/** Heads that were read already; senders repeat themselves but for the length. */
const MAX_HEADS = 4096;
const MAX_REMEMBERED_HEAD = 1024;
/** Pieces that a request may come in. */
const MAX_PIECES = 8;
const MAX_HELD = MAX_SIMPLE_BODY + 16 * 1024;

export class FastLane {
  readonly options: FastLaneOptions;
  readonly #lanes = new Set<Lane>();
  readonly #heads = new Map<string, SimpleHead | undefined>();
  #sweeper: NodeJS.Timeout | undefined;
  #ok = '';
  #okAt = 0;
  isClosing = false;

  constructor(options: FastLaneOptions) {
    this.options = options;
  }

  /** Takes a new connection. `handOver` gives it to node:http. */
  take(socket: Socket, handOver: (socket: Socket) => void): void {
    if (this.isClosing) {
      handOver(socket);
      return;
    }
    const lane = new Lane(socket, this, left => {
      this.#lanes.delete(lane);
      if (left) handOver(socket);
    });
    this.#lanes.add(lane);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.options.patienceMs).unref();
  }

  /** Ends connections without a request, and the others after their answer. */
  close(): void {
    this.isClosing = true;
    for (const lane of this.#lanes) lane.finish();
  }

  /** Ends all connections. */
  destroy(): void {
    clearInterval(this.#sweeper);
    for (const lane of this.#lanes) lane.destroy();
  }

  head(text: string): SimpleHead | undefined {
    const known = this.#heads.get(text);
    if (known !== undefined) return known;
    const head = readSimpleHead(text);
    if (head && text.length <= MAX_REMEMBERED_HEAD) {
      if (this.#heads.size >= MAX_HEADS) this.#heads.clear();
      this.#heads.set(text, head);
    }
    return head;
  }

  /** 200 without a body, as falcosidekick answers an alert. */
  ok(): string {
    const second = Math.floor(this.options.now() / 1000);
    if (second !== this.#okAt) {
      this.#okAt = second;
      const seconds = Math.floor(this.options.idleMs() / 1000);
      this.#ok =
        `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: ${new Date(second * 1000).toUTCString()}\r\n` +
        `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`;
    }
    return this.#ok;
  }

  #sweep(): void {
    const now = this.options.now();
    for (const lane of this.#lanes) lane.look(now);
    if (this.#lanes.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

/** One connection. */
class Lane {
  readonly #socket: Socket;
  readonly #fast: FastLane;
  readonly #gone: (left: boolean) => void;
  /** What has come and is not answered. */
  #held: Buffer | undefined;
  #pieces = 0;
  #isAnswering = false;
  #isLast = false;
  #hasEnded = false;
  /** When a request was last answered; undefined before the first one. */
  #answeredAt: number | undefined;
  #heldSince = 0;

  constructor(socket: Socket, fast: FastLane, gone: (left: boolean) => void) {
    this.#socket = socket;
    this.#fast = fast;
    this.#gone = gone;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Sees to what has waited for too long. */
  look(now: number): void {
    if (this.#isAnswering) return;
    const { patienceMs, idleMs } = this.#fast.options;
    // Nothing yet, or half a request: node:http has the time limits for both.
    if (this.#answeredAt === undefined) this.#handOver();
    else if (this.#held) {
      if (now - this.#heldSince >= patienceMs) this.#handOver();
    } else if (now - this.#answeredAt >= idleMs()) this.#socket.end();
  }

  /** No more requests after the one that is being answered. */
  finish(): void {
    if (this.#isAnswering) this.#isLast = true;
    else if (this.#held || this.#answeredAt === undefined) this.#handOver();
    else this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#held = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    if (this.#isAnswering) {
      // The next request may wait in the kernel.
      this.#socket.pause();
      return;
    }
    this.#pieces++;
    this.#read();
  };

  #read(): void {
    const held = this.#held;
    if (!held || this.#isAnswering) return;
    const headEnd = held.indexOf(BLANK_LINE) + BLANK_LINE.length;
    const head =
      headEnd < BLANK_LINE.length ? undefined : this.#fast.head(held.toString('latin1', 0, headEnd));
    const { admits, offer, now } = this.#fast.options;
    if (!head || this.#pieces > MAX_PIECES || held.length > MAX_HELD) {
      this.#handOver();
      return;
    }
    const end = headEnd + head.bodyBytes;
    if (held.length < end) {
      if (this.#pieces === 1) this.#heldSince = now();
      return;
    }
    this.#isAnswering = true;
    const from = { socket: this.#socket, head };
    if (!admits(head) || !offer(held.toString('utf8', headEnd, end), from, this.#answer)) {
      this.#isAnswering = false;
      this.#handOver();
      return;
    }
    this.#held = held.length > end ? held.subarray(end) : undefined;
    this.#pieces = 0;
    this.#isLast ||= !head.keepAlive || this.#fast.isClosing;
  }

  readonly #answer = (denied?: Denied): void => {
    this.#isAnswering = false;
    this.#answeredAt = this.#fast.options.now();
    if (this.#socket.destroyed) return;
    const isLast = this.#isLast || this.#hasEnded;
    if (denied || isLast) this.#socket.write(answerText(denied, isLast, this.#answeredAt));
    else this.#socket.write(this.#fast.ok(), 'latin1');
    if (isLast) {
      this.#socket.end();
      return;
    }
    if (this.#held) {
      this.#pieces = 1;
      this.#socket.resume();
      this.#read();
    }
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#isAnswering) return;
    // Half a request is all that will come.
    if (this.#held) this.#socket.destroy();
    else this.#socket.end();
  };

  // Whoever resets the connection is not there to be told.
  readonly #onError = (): void => {};

  readonly #onClose = (): void => this.#gone(false);

  #handOver(): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    const held = this.#held;
    this.#held = undefined;
    this.#gone(true);
    // To node:http as if it came just now: what is put back with `unshift` would be refused after the sender's end.
    if (held) socket.emit('data', held);
    if (socket.isPaused()) socket.resume();
  }
}

function answerText(denied: Denied | undefined, isLast: boolean, now: number): string {
  const status = denied?.status ?? 200;
  const body = denied ? `${denied.message}\n` : '';
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(denied?.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(denied ? ['Content-Type: text/plain; charset=utf-8', 'X-Content-Type-Options: nosniff'] : []),
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Date: ${new Date(now).toUTCString()}`,
    ...(isLast ? ['Connection: close'] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
