/** One connection of the fast lane: its requests one after the other, until it ends or goes to node:http. */
import type { Socket } from 'node:net';
import { STATUS_CODES } from '../http/node-http.ts';
import { RepeatedHead } from './repeated-head.ts';
import { MAX_SIMPLE_HEAD, readSimpleHead, type SimpleHead, type SimpleSender } from './simple-request.ts';

/** An answer other than 200. */
export interface Denied {
  status: number;
  message: string;
  headers?: Readonly<Record<string, string>> | undefined;
}

export interface LaneOptions {
  /** Whether the sender may post here, and there is room for what it sends. */
  admits(head: SimpleHead): boolean;
  /**
   * Takes a body. False when there is anything to refuse: nothing has happened then. Otherwise calls `answer` once,
   * before it returns or later, with nothing when the alerts are safe. Never throws.
   */
  offer(body: string, sender: SimpleSender, answer: (denied?: Denied) => void): boolean;
  /** So many bytes more are held of requests that are not whole, or less. False when that is too much for all together. */
  hold(bytes: number): boolean;
  /** Where a request that is not whole yet may wait before node:http looks after it, in milliseconds. */
  patienceMs: number;
  /** How long a new connection may say nothing before node:http looks after it, in milliseconds. */
  silenceMs(): number;
  /** How long a connection may stay without a request, in milliseconds. */
  idleMs(): number;
}

/** What all lanes share. */
export interface LaneHost {
  readonly options: LaneOptions;
  /** No request is to follow the one at hand. */
  readonly isClosing: boolean;
  /** 200 without a body, as falcosidekick answers an alert. */
  ok(): string;
}

const BLANK_LINE = Buffer.from('\r\n\r\n');
/** A longer head is not remembered, as every connection remembers one. */
const MAX_REPEATED_HEAD = 1024;
/** Pieces that a request may come in. */
const MAX_PIECES = 8;
/** How long a connection stays for the far side to end it too, after its last answer. */
const LINGER_MS = 2000;

/**
 * What a connection is at: its next request is to come, one is being answered, the far side is to read the answers that
 * it has, or it has been told the end.
 */
type Stage = 'reading' | 'answering' | 'draining' | 'ending';

export class Lane {
  readonly #socket: Socket;
  readonly #host: LaneHost;
  readonly #gone: (left: boolean) => void;
  #stage: Stage = 'reading';
  /** When the stage began, or what is held of a request; on the monotonic clock. Undefined: after the last look. */
  #since: number | undefined = performance.now();
  /** What has come and is not answered. */
  #held: Buffer | undefined;
  /** How much of that has been counted. */
  #counted = 0;
  #pieces = 0;
  #repeated: RepeatedHead | undefined;
  #isUnused = true;
  #isLast = false;
  #hasEnded = false;

  constructor(socket: Socket, host: LaneHost, gone: (left: boolean) => void) {
    this.#socket = socket;
    this.#host = host;
    this.#gone = gone;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Sees to what has waited for too long. */
  look(now: number): void {
    this.#since ??= now;
    const waited = now - this.#since;
    const { patienceMs, silenceMs, idleMs } = this.#host.options;
    if (this.#stage === 'ending') {
      if (waited >= LINGER_MS) this.#socket.destroy();
    } else if (this.#stage === 'draining') {
      if (waited >= idleMs()) this.#socket.destroy();
    } else if (this.#stage === 'reading') {
      // Half a request, or nothing at all: node:http has the time limits for both.
      if (this.#held) {
        if (waited >= patienceMs) this.#handOver();
      } else if (this.#isUnused) {
        if (waited >= silenceMs()) this.#handOver();
      } else if (waited >= idleMs()) this.#leave();
    }
  }

  /** No more requests after the one that is being answered. */
  finish(): void {
    this.#isLast = true;
    if (this.#stage !== 'reading') return;
    if (this.#isUnused || this.#held) this.#handOver();
    else this.#leave();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // The bytes may be lent: what is held beyond this call is a copy.
  readonly #onData = (chunk: Buffer): void => {
    if (this.#stage === 'ending') return;
    this.#held = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    if (this.#stage === 'reading') this.#read();
    // The next request may wait in the kernel.
    else this.#socket.pause();
    if (this.#held?.buffer === chunk.buffer) this.#held = Buffer.from(this.#held);
    // Who may hold no more is refused by node:http.
    if (!this.#count() && this.#stage === 'reading') this.#handOver();
  };

  /** Counts what is held. False when all connections together hold too much. */
  #count(): boolean {
    const more = (this.#held?.length ?? 0) - this.#counted;
    if (more === 0) return true;
    this.#counted += more;
    return this.#host.options.hold(more);
  }

  #read(): void {
    const held = this.#held!;
    const head = this.#repeated?.read(held) ?? this.#readHead(held);
    if (!head) {
      this.#handOver();
      return;
    }
    const { headBytes } = head;
    const end = headBytes + head.bodyBytes;
    if (held.length < end) {
      this.#awaitRest();
      return;
    }
    const { admits, offer } = this.#host.options;
    if (!admits(head)) {
      this.#handOver();
      return;
    }
    // The answer may come at once.
    this.#stage = 'answering';
    this.#held = held.length > end ? held.subarray(end) : undefined;
    this.#pieces = 0;
    this.#isUnused = false;
    this.#isLast ||= !head.keepAlive || this.#host.isClosing;
    const sender = { socket: this.#socket, head };
    if (offer(held.toString('utf8', headBytes, end), sender, this.#answer)) return;
    this.#held = held;
    this.#handOver();
  }

  #readHead(held: Buffer): SimpleHead | undefined {
    const end = held.indexOf(BLANK_LINE) + BLANK_LINE.length;
    if (end < BLANK_LINE.length || end > MAX_SIMPLE_HEAD) return undefined;
    const text = held.toString('latin1', 0, end);
    const head = readSimpleHead(text);
    if (head && end <= MAX_REPEATED_HEAD) this.#repeated = new RepeatedHead(text, head);
    return head;
  }

  #awaitRest(): void {
    this.#pieces++;
    if (this.#pieces === 1) this.#since = performance.now();
    if (this.#hasEnded || this.#pieces === MAX_PIECES) this.#handOver();
  }

  readonly #answer = (denied?: Denied): void => {
    const socket = this.#socket;
    if (socket.destroyed) return;
    this.#isLast ||= this.#hasEnded && !this.#held;
    const isLast = this.#isLast;
    const hasRoom =
      denied || isLast ? socket.write(answerText(denied, isLast)) : socket.write(this.#host.ok(), 'latin1');
    if (hasRoom || isLast) {
      this.#goOn();
      return;
    }
    // Whoever sends without reading must not fill our memory with answers.
    this.#stage = 'draining';
    this.#since = performance.now();
    socket.once('drain', this.#goOn);
  };

  readonly #goOn = (): void => {
    if (this.#isLast) {
      this.#linger();
      return;
    }
    this.#stage = 'reading';
    // Asking for the time would cost more than all else here.
    this.#since = undefined;
    if (this.#held) {
      // Before node:http may get the connection, which may pause it again; nothing comes before the next turn.
      this.#socket.resume();
      this.#read();
      this.#count();
    } else if (this.#hasEnded) this.#leave();
  };

  /** Ends, but reads on: closing with unread bytes makes TCP reset the connection, and the answer would be lost. */
  #linger(): void {
    this.#stage = 'ending';
    this.#since = performance.now();
    this.#held = undefined;
    this.#count();
    this.#socket.end();
    this.#socket.resume();
  }

  /** Ends when nothing is to come, nor to be answered. */
  #leave(): void {
    this.#stage = 'ending';
    this.#held = undefined;
    this.#count();
    this.#socket.destroySoon();
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    // Half a request is all that will come.
    if (this.#stage === 'reading') this.#leave();
  };

  // Whoever resets the connection is not there to be told.
  readonly #onError = (): void => {};

  readonly #onClose = (): void => {
    this.#held = undefined;
    this.#count();
    this.#gone(false);
  };

  #handOver(): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    const held = this.#held;
    this.#held = undefined;
    this.#count();
    this.#gone(true);
    // To node:http as if it came just now: what is put back with `unshift` would be refused after the sender's end.
    // A copy, for the case that it keeps parts of it.
    if (held) socket.emit('data', Buffer.from(held));
    if (this.#hasEnded) socket.emit('end');
  }
}

function answerText(denied: Denied | undefined, isLast: boolean): string {
  const status = denied?.status ?? 200;
  const body = denied ? `${denied.message}\n` : '';
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(denied?.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(denied ? ['Content-Type: text/plain; charset=utf-8', 'X-Content-Type-Options: nosniff'] : []),
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Date: ${new Date().toUTCString()}`,
    ...(isLast ? ['Connection: close'] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
