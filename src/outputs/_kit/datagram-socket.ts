/**
 * Datagrams to one address over UDP. Nobody confirms them, but a machine on whose port nobody listens says so (ICMP), and
 * a connected socket gets to hear it: so a send counts only after a moment without such word.
 */

import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancellation } from '../../core/contract.ts';
import { PermanentError, type RetriableError } from '../../core/errors.ts';
import { untilAborted } from './settle.ts';
import { toSocketFailure } from './socket-failure.ts';

/** What IPv4 can carry: 65,535 bytes less its header of 20 and UDP's of 8. */
export const MAX_DATAGRAM = 65_507;

export interface DatagramSocketOptions {
  host: string;
  port: number;
  /** How long a send waits for word that nobody listens; 20 ms when absent. */
  settleMs?: number;
}

export interface DatagramSocket {
  /**
   * Resolves with the datagrams that are too large, by their place; the others have gone out. One send at a time.
   * @throws RetriableError when the address cannot be reached, as far as can be told: some may have arrived
   */
  send(datagrams: readonly Buffer[], signal: Cancellation): Promise<Map<number, PermanentError>>;
  /** Looks the name up. @throws RetriableError */
  probe(signal: Cancellation): Promise<void>;
  /** Safe twice. */
  close(): void;
}

const SETTLE_MS = 20;
/** The name is looked up again after this: nothing else would tell that the server has moved. */
const RENEW_MS = 30_000;

export function openDatagramSocket(options: DatagramSocketOptions): DatagramSocket {
  return new Datagrams(options);
}

interface Opened {
  socket: Socket;
  /** Aborted, with the failure as reason, by word that nobody listens. */
  refused: AbortSignal;
  sinceMs: number;
}

class Datagrams implements DatagramSocket {
  readonly #options: DatagramSocketOptions;
  #opening: Promise<Opened> | undefined;
  /** Which of the name's addresses is tried next. */
  #turn = 0;

  constructor(options: DatagramSocketOptions) {
    this.#options = options;
  }

  async send(datagrams: readonly Buffer[], signal: Cancellation): Promise<Map<number, PermanentError>> {
    const { socket, refused } = await this.#open(signal);
    const tooLarge = new Map<number, PermanentError>();
    for (const [index, datagram] of datagrams.entries()) {
      const error = await sendOne(socket, datagram);
      if (error?.code === 'EMSGSIZE') tooLarge.set(index, largerThan());
      else if (error) throw this.#failed(error);
    }
    await sleep(this.#options.settleMs ?? SETTLE_MS);
    if (refused.aborted) throw this.#failed(refused.reason);
    return tooLarge;
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#open(signal);
  }

  close(): void {
    const opening = this.#opening;
    this.#opening = undefined;
    opening?.then(
      ({ socket }) => socket.close(),
      () => undefined,
    );
  }

  async #open(signal: Cancellation): Promise<Opened> {
    await this.#renew();
    this.#opening ??= connect(this.#options, this.#turn);
    try {
      return await untilAborted(this.#opening, signal);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Parts with a socket that is old, or whose port was found closed after the last send. */
  async #renew(): Promise<void> {
    const opening = this.#opening;
    const opened = await opening?.catch(() => undefined);
    if (!opened || this.#opening !== opening) return;
    if (opened.refused.aborted || performance.now() - opened.sinceMs > RENEW_MS) this.close();
  }

  /** The next send starts over, with another of the addresses. */
  #failed(error: unknown): RetriableError | PermanentError {
    this.close();
    this.#turn++;
    return toSocketFailure(error);
  }
}

async function connect({ host, port }: DatagramSocketOptions, turn: number): Promise<Opened> {
  const addresses = await lookup(host, { all: true });
  const { address, family } = addresses[turn % addresses.length]!;
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref();
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // What the types do not know: a failure of the connecting itself comes here, and not as an event.
      const connected = (error?: Error) => (error ? reject(error) : resolve());
      socket.connect(port, address, connected);
    });
  } catch (error) {
    socket.close();
    throw error;
  }
  const refusal = new AbortController();
  socket.on('error', error => refusal.abort(error));
  return { socket, refused: refusal.signal, sinceMs: performance.now() };
}

function sendOne(socket: Socket, datagram: Buffer): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise(resolve => {
    try {
      socket.send(datagram, error => resolve(error ?? undefined));
    } catch {
      resolve(Object.assign(new Error('socket closed'), { code: 'ECONNRESET' }));
    }
  });
}

function largerThan(): PermanentError {
  return new PermanentError('the alert is larger than a datagram can be', { reason: 'payload' });
}
