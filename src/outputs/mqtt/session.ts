/**
 * One use of the mqtt package, from connecting to hanging up. Its client would keep what was published while it is not
 * connected, and send it by itself later: so a client that has lost its connection is thrown away with what it holds,
 * and the core, which has the alerts in its spool, sends them over the next one.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type * as Mqtt from 'mqtt';
import type { Alert } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { type Link, unlessLost } from '../_kit/link.ts';
import type { Address } from './address.ts';
import { PROTOCOL_ERROR, toFailure, tooLarge } from './failures.ts';

const CONNECT_MS = 5000;
const GOODBYE_MS = 2000;
const KEEP_ALIVE_SECONDS = 20;
/**
 * Most alerts under way. A broker of MQTT 5 says how many it takes; one of 3.1.1 cannot, and Mosquitto hangs up on more
 * than its max_inflight_messages of QoS 2 (mosquitto.org/man/mosquitto-conf-5.html), 20 by default.
 */
const WINDOW = { 0: 200, 1: 200, 2: 20 };

export interface Publishing {
  topic: string;
  qos: 0 | 1 | 2;
  retain: boolean;
}

export interface SessionOptions {
  mqtt: typeof Mqtt;
  address: Address;
  /** For the secure protocols. */
  tls: ConnectionOptions | undefined;
  version: '3.1.1' | '5';
  /** Empty: one by chance. */
  clientId: string;
  username: string;
  password: string;
  publishing: Publishing;
}

/** Connects and signs in. @throws RetriableError */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const { mqtt, address, tls, username, password } = options;
  const { protocol, host, port, path } = address;
  const client = mqtt.connect({
    protocol,
    host,
    hostname: host,
    port,
    ...(path && { path }),
    ...(protocol === 'wss' ? { wsOptions: tls } : tls),
    protocolVersion: options.version === '5' ? 5 : 4,
    clientId: options.clientId || `tiercel-${randomBytes(4).toString('hex')}`,
    ...(username && { username, password }),
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MS,
    keepalive: KEEP_ALIVE_SECONDS,
    queueQoSZero: false,
  } as Mqtt.IClientOptions);
  // A WebSocket has it on already.
  (client.stream as Partial<Socket>).setNoDelay?.(true);
  const session = new Session(client, options.publishing);
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      session.lost.addEventListener('abort', () => reject(session.lost.reason), { once: true });
      const abort = () => reject(new RetriableError('the output is closed', { reason: 'other' }));
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
    });
    return session;
  } catch (error) {
    session.destroy();
    throw error;
  }
}

export class Session implements Link {
  readonly #client: Mqtt.MqttClient;
  readonly #publishing: Publishing;
  readonly #lost = new AbortController();
  #pingsSent = 0;
  #pingsAnswered = 0;
  /** Waiting for that many answers. */
  readonly #pinging = new Map<() => void, number>();
  #flushing: Promise<void> | undefined;

  constructor(client: Mqtt.MqttClient, publishing: Publishing) {
    this.#client = client;
    this.#publishing = publishing;
    // The reason comes first, then the end.
    let failure: unknown;
    client.on('error', error => {
      failure ??= error;
    });
    client.on('disconnect', ({ reasonCode }) => {
      failure ??= { code: reasonCode };
    });
    client.on('close', () => this.#lose(failure));
    // No alert could ever go. MQTT 5, 3.2.2.3.3: a receive maximum of 0 is a protocol error.
    client.on('connect', ({ properties }) => {
      if (properties?.receiveMaximum === 0) this.#lose({ code: PROTOCOL_ERROR });
    });
    client.on('packetsend', ({ cmd }) => {
      if (cmd === 'pingreq') this.#pingsSent++;
    });
    client.on('packetreceive', ({ cmd }) => {
      if (cmd === 'pingresp') this.#answered();
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** How many alerts may be under way at once. */
  get window(): number {
    const own = WINDOW[this.#publishing.qos];
    return Math.min(own, this.#client.serverProperties?.receiveMaximum ?? own);
  }

  /**
   * Resolves when the broker has acknowledged the alert; for QoS 0, which has no such thing, when the broker has
   * answered a ping that was sent after it.
   * @throws RetriableError, PermanentError when the alert is too large
   */
  async publish({ bytes }: Alert): Promise<void> {
    const { topic, ...options } = this.#publishing;
    // A packet that is too large would cost the connection. 16 bytes is the most that stands before topic and payload.
    const size = 16 + Buffer.byteLength(topic) + bytes.length;
    if (size > (this.#client.serverProperties?.maximumPacketSize ?? Number.POSITIVE_INFINITY))
      throw tooLarge();
    if (this.lost.aborted) throw this.lost.reason;
    const acknowledged: Promise<unknown>[] = [this.#client.publishAsync(topic, bytes, options)];
    if (options.qos === 0) acknowledged.push(this.#flush());
    try {
      await unlessLost(Promise.all(acknowledged), this.lost);
    } catch (error) {
      throw this.lost.aborted ? this.lost.reason : toFailure(error);
    }
  }

  /** Resolves when the broker has answered. @throws RetriableError */
  async ping(): Promise<void> {
    if (this.lost.aborted) throw this.lost.reason;
    this.#client.sendPing();
    const answered = new Promise<void>(resolve => this.#pinging.set(resolve, this.#pingsSent));
    await unlessLost(answered, this.lost);
  }

  async close(): Promise<void> {
    const late = setTimeout(() => this.destroy(), GOODBYE_MS);
    await unlessLost(this.#client.endAsync(), this.lost).catch(() => undefined);
    clearTimeout(late);
    this.destroy();
  }

  destroy(): void {
    this.#lose(undefined);
  }

  /** One ping for all that was published in a row. */
  #flush(): Promise<void> {
    this.#flushing ??= Promise.resolve().then(() => {
      this.#flushing = undefined;
      return this.ping();
    });
    return this.#flushing;
  }

  #answered(): void {
    this.#pingsAnswered++;
    for (const [resolve, count] of this.#pinging) {
      if (count > this.#pingsAnswered) continue;
      this.#pinging.delete(resolve);
      resolve();
    }
  }

  #lose(failure: unknown): void {
    this.#lost.abort(toFailure(failure));
    this.#client.end(true);
  }
}
