/**
 * Lines over one lasting TCP or TLS connection, for protocols whose server never answers (Logstash, syslog).
 *
 * TCP tells a sender nothing but that its own kernel took the bytes: they may still wait for a machine that is gone, or
 * lie unread in a server that dies. So what was written counts as sent only after a while in which the connection
 * held, and after the far kernel has acknowledged it (where the system can tell). When the connection breaks, all that
 * does not count yet has failed and is sent anew: nothing is lost, some may arrive twice. What no sender can see is a
 * server that has taken the bytes and then dies without reading them; `confirmByClose` waits for the reading too.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Cancellation, Logger } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { type Link, LinkKeeper, unlessLost } from './link.ts';
import { untilAborted } from './settle.ts';
import { toSocketFailure } from './socket-failure.ts';
import { endsOf, type TcpEnds, unacknowledgedBytes } from './tcp-queue.ts';

export interface LineSocketOptions {
  host: string;
  port: number;
  /** For TLS, see toTlsOptions; absent: plain TCP. */
  tls?: ConnectionOptions;
  /** Longest wait for a connection, TLS included; 5 s when absent. */
  connectTimeoutMs?: number;
  /** How long a connection has to hold after a write before it counts; 100 ms when absent. */
  settleMs?: number;
  /**
   * Each send has a connection of its own, which it closes for writing. The server closes it too when it has read all
   * there was; closing it earlier resets the connection (seen on Linux only), so this is as good as an answer.
   */
  confirmByClose?: boolean;
  log: Logger;
}

export interface LineSocket {
  /**
   * Writes data (whole lines) and resolves when it counts as sent. Sends may overlap; they are written in the order of the
   * calls.
   * @throws RetriableError when the connection breaks before that, or the signal aborts
   */
  send(data: Buffer, signal: Cancellation): Promise<void>;
  /** Connects, and sees whether the connection holds. @throws RetriableError */
  probe(signal: Cancellation): Promise<void>;
  /** Closes for writing, waits a moment for the server to do so too, then hangs up. Safe twice. */
  close(): Promise<void>;
}

const CONNECT_MS = 5000;
const SETTLE_MS = 100;
const KEEP_ALIVE_MS = 30_000;
const LINGER_MS = 2000;

/** Nothing is connected until the first send. */
export function openLineSocket(options: LineSocketOptions): LineSocket {
  return options.confirmByClose ? confirmedLines(options) : keptLines(options);
}

/** One connection that is kept. */
function keptLines(options: LineSocketOptions): LineSocket {
  const { log } = options;
  const links = new LinkKeeper(async signal => {
    const connection = await connect(options, signal);
    log.debug({}, 'connected');
    const tell = () => log.debug({ why: (connection.lost.reason as Error).message }, 'connection lost');
    connection.lost.addEventListener('abort', tell, { once: true });
    return connection;
  });
  return {
    send: (data, signal) => links.use(connection => connection.write(data), signal),
    probe: signal => links.use(connection => connection.holds(), signal),
    close: () => links.close(),
  };
}

/** A connection per send. */
function confirmedLines(options: LineSocketOptions): LineSocket {
  const send = async (data: Buffer, signal: Cancellation) => {
    const connection = await connect(options, signal);
    try {
      await untilAborted(connection.writeAll(data), signal);
    } finally {
      connection.destroy();
    }
  };
  return {
    send,
    probe: signal => send(Buffer.alloc(0), signal),
    close: async () => undefined,
  };
}

interface Written {
  /** Where it ends in all that was written to the connection, in bytes. */
  end: number;
  counts(): void;
}

class Connection implements Link {
  readonly #socket: Socket;
  readonly #ends: TcpEnds | undefined;
  readonly #settleMs: number;
  readonly #broken = new AbortController();
  /** Bytes asked to be written, and those that the kernel has taken. */
  #asked = 0;
  #taken = 0;
  #waiting: Written[] = [];

  constructor(socket: Socket, settleMs: number) {
    this.#socket = socket;
    this.#ends = endsOf(socket);
    this.#settleMs = settleMs;
    socket.on('error', error => this.#break(toSocketFailure(error)));
    socket.on('end', () => this.#break(lost('the server ended the connection')));
    socket.on('close', () => this.#break(lost('the connection was lost')));
    // What the server says is of no interest, but its end is noticed only by reading.
    socket.resume();
  }

  /** Its reason is the failure. */
  get lost(): AbortSignal {
    return this.#broken.signal;
  }

  /** Resolves when the data counts as sent. */
  write(data: Buffer): Promise<void> {
    return unlessLost(this.#write(data), this.lost);
  }

  /** Writes, closes for writing, and resolves when the server has closed as well, which it does when it has read all. */
  writeAll(data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(this.lost.reason as Error);
      if (this.lost.aborted) return fail();
      this.lost.addEventListener('abort', fail, { once: true });
      const ended = async () => {
        // A server that closed on its own account, before the bytes came, does not acknowledge them but resets the
        // connection. Reading tells nothing of that: the end came first.
        this.lost.removeEventListener('abort', fail);
        const left = await unacknowledgedBytes(this.#ends);
        if (left === 'gone' || (left ?? 0) > 0) reject(lost('the server ended the connection'));
        else resolve();
      };
      this.#socket.removeAllListeners('end').once('end', ended).end(data);
    });
  }

  /** Resolves when the connection has held for a while: a server may refuse a certificate after the handshake. */
  holds(): Promise<void> {
    return unlessLost(sleep(this.#settleMs), this.lost);
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, LINGER_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end();
    });
    this.destroy();
  }

  destroy(): void {
    this.#break(lost('the connection was given up'));
  }

  async #write(data: Buffer): Promise<void> {
    // An end that has arrived already is read in this turn of the event loop.
    await setImmediate();
    this.lost.throwIfAborted();
    this.#asked += data.length;
    const end = this.#asked;
    await new Promise<void>(taken => this.#socket.write(data, () => taken()));
    this.#taken = end;
    await new Promise<void>(counts => {
      this.#waiting.push({ end, counts });
      if (this.#waiting.length === 1) void this.#watch();
    });
  }

  #break(reason: Error): void {
    if (this.lost.aborted) return;
    this.#broken.abort(reason);
    this.#waiting = [];
    this.#socket.destroy();
  }

  /** Looks after each pause which writes from before it have been acknowledged. */
  async #watch(): Promise<void> {
    while (this.#waiting.length > 0) {
      const before = this.#taken;
      await sleep(this.#settleMs);
      // Of TLS the kernel counts more bytes than were written here, which only makes the wait longer.
      const left = await unacknowledgedBytes(this.#ends);
      const acknowledged = this.#taken - (typeof left === 'number' ? left : 0);
      // Should the kernel know the connection no more, its end is read in this turn of the event loop.
      await setImmediate();
      if (this.lost.aborted) return;
      const counted = this.#waiting.filter(({ end }) => end <= Math.min(before, acknowledged));
      this.#waiting = this.#waiting.filter(written => !counted.includes(written));
      for (const written of counted) written.counts();
    }
  }
}

function lost(message: string): RetriableError {
  return new RetriableError(message, { reason: 'network' });
}

/** Connects. @throws RetriableError */
function connect(options: LineSocketOptions, signal?: Cancellation): Promise<Connection> {
  const { host, port, tls, connectTimeoutMs = CONNECT_MS, settleMs = SETTLE_MS } = options;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      reject(toSocketFailure(error));
    };
    const abort = () => fail(new RetriableError('no answer in the time of one try', { reason: 'timeout' }));
    const hangUp = () => fail(lost('the server ended the connection'));
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('error', fail).off('close', hangUp);
      resolve(new Connection(socket, settleMs));
    };
    const socket = tls
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...tls }, done)
      : connectTcp({ host, port }, done);
    const timer = setTimeout(
      () => fail(new RetriableError('the server does not answer', { reason: 'timeout' })),
      connectTimeoutMs,
    );
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS).on('error', fail).on('close', hangUp);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
  });
}
