/** One use of amqplib, from connecting to hanging up: a connection with one channel that confirms. */
import { connect, isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type * as Amqplib from 'amqplib';
import type { Alert, Logger } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { hangUp, type Link } from '../_kit/link.ts';
import type { Address } from './address.ts';
import { noQueue, toFailure, toFailureOf } from './failures.ts';

const CONNECT_MS = 5000;
const GOODBYE_MS = 2000;
/** What amqplib says of an alert that the server did not take, as opposed to a channel that ended before its answer. */
const NACKED = 'message nacked';

export interface SessionOptions {
  amqplib: typeof Amqplib;
  address: Address;
  /** For amqps. */
  tls: ConnectionOptions | undefined;
  queue: string;
  log: Logger;
}

/** Connects and signs in. @throws RetriableError */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const { amqplib, address, tls, queue, log } = options;
  const hangUp = new AbortController();
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  const abort = () => hangUp.abort();
  giveUp.addEventListener('abort', abort);
  try {
    const { host, port } = address;
    // The socket itself obeys the signal; amqplib gives no other way to end a connection at once.
    const socket = { signal: hangUp.signal, noDelay: true, keepAlive: true };
    const secured = tls && {
      ...(isIP(host) === 0 && { servername: host }),
      ...tls,
      socket: connect({ host, port, ...socket }),
    };
    const model = await amqplib.connect(
      {
        protocol: address.secure ? 'amqps' : 'amqp',
        hostname: host,
        port,
        vhost: encodeURIComponent(address.vhost),
        heartbeat: address.heartbeat,
      },
      {
        ...socket,
        ...secured,
        credentials: toCredentials(amqplib, address),
        clientProperties: { connection_name: 'tiercel' },
      } as Amqplib.SocketOptions,
    );
    model.on('error', () => undefined);
    const channel = await model.createConfirmChannel();
    return new Session({ model, channel, queue, log, hangUp });
  } catch (error) {
    hangUp.abort();
    if (!giveUp.aborted) throw toFailure(error);
    throw new RetriableError('the server does not answer', { reason: 'timeout', cause: error });
  } finally {
    giveUp.removeEventListener('abort', abort);
  }
}

function toCredentials({ credentials }: typeof Amqplib, { mechanism, username, password }: Address) {
  return mechanism === 'external' ? credentials.external() : credentials[mechanism](username, password);
}

interface SessionParts {
  model: Amqplib.ChannelModel;
  channel: Amqplib.ConfirmChannel;
  queue: string;
  log: Logger;
  hangUp: AbortController;
}

export class Session implements Link {
  readonly #model: Amqplib.ChannelModel;
  readonly #channel: Amqplib.ConfirmChannel;
  readonly #queue: string;
  readonly #hangUp: AbortController;
  readonly #lost = new AbortController();
  /** What became of the alerts that were published and are not forgotten yet, by uuid. */
  readonly #published = new Map<string, Promise<void>>();
  /** Handed back by the server, which confirms them right after. */
  readonly #returned = new Set<string>();
  #blocked = false;
  /** Why the connection or channel ends: told first, then what is under way fails, then comes the end. */
  #failure: unknown;

  constructor({ model, channel, queue, log, hangUp }: SessionParts) {
    this.#model = model;
    this.#channel = channel;
    this.#queue = queue;
    this.#hangUp = hangUp;
    const lose = (error?: unknown) => {
      this.#lost.abort(toFailure(this.#failure ?? error));
      hangUp.abort();
    };
    const note = (error: unknown) => {
      this.#failure ??= error;
    };
    model.on('error', note);
    channel.on('error', note);
    channel.on('close', lose);
    model.on('close', lose);
    channel.on('return', message => this.#returned.add(String(message.properties.messageId)));
    model.on('blocked', reason => {
      this.#blocked = true;
      log.warn({ reason }, 'the server takes no messages at present');
    });
    model.on('unblocked', () => {
      this.#blocked = false;
      log.info({}, 'the server takes messages again');
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** A server low on memory or disk says so and reads on later: rabbitmq.com/docs/connection-blocked. */
  get paused(): boolean {
    return this.#blocked;
  }

  /**
   * Resolves when the queue has the alert. One that was published before and not forgotten, because its try ended too
   * early to hear of it, is not published again.
   * @throws RetriableError, PermanentError when the alert is too large
   */
  publish(alert: Alert): Promise<void> {
    const known = this.#published.get(alert.uuid);
    if (known) return known;
    const confirmed = this.#publish(alert);
    this.#published.set(alert.uuid, confirmed);
    return confirmed;
  }

  /** What became of the alert has been heard. */
  forget({ uuid }: Alert): void {
    this.#published.delete(uuid);
  }

  /** Asks for the queue, on a channel of its own because a missing queue costs the channel. @throws RetriableError */
  async check(): Promise<void> {
    if (this.#blocked) throw blocked();
    const channel = await this.#model.createChannel();
    channel.on('error', () => undefined);
    try {
      await channel.checkQueue(this.#queue);
    } catch (error) {
      throw toFailure(error);
    }
    await channel.close();
  }

  close(): Promise<void> {
    return hangUp(this, () => this.#model.close(), GOODBYE_MS);
  }

  destroy(): void {
    this.#lost.abort(toFailure(undefined));
    this.#hangUp.abort();
  }

  #publish({ uuid, bytes }: Alert): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#blocked) return reject(blocked());
      const settle = (error: unknown) => {
        if (this.#returned.delete(uuid)) reject(noQueue());
        else if (!error) resolve();
        else if ((error as Error).message === NACKED) reject(refused(error));
        else reject(toFailureOf(bytes.length, this.#failure ?? error));
      };
      const options = { contentType: 'text/plain', persistent: true, mandatory: true, messageId: uuid };
      try {
        // The default exchange knows every queue by its name.
        this.#channel.publish('', this.#queue, bytes, options, settle);
      } catch (error) {
        reject(toFailure(error));
      }
    });
  }
}

function blocked(): RetriableError {
  return new RetriableError('the server takes no messages at present: it is low on memory or disk', {
    reason: 'server_error',
  });
}

function refused(cause: unknown): RetriableError {
  return new RetriableError('the server did not accept it (nack): is the queue full?', {
    reason: 'server_error',
    cause,
  });
}
