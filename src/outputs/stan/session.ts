/** A client of the streaming server, on a NATS connection of its own: what fails is thrown away whole and begun anew. */
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Alert, Logger } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { type Link, unlessLost } from '../_kit/link.ts';
import { decode, encode, type Message, type MessageType } from '../_kit/protobuf.ts';
import { toSubject } from '../_kit/subject.ts';
import { forgotten, misunderstood, refused, toFailure } from './failures.ts';
import {
  ALREADY_REGISTERED,
  CloseRequest,
  ConnectRequest,
  ConnectResponse,
  INVALID_PUBLISH,
  Ping,
  PingResponse,
  PROTOCOL,
  PubAck,
  PubMsg,
} from './protocol.ts';

const CONNECT_MS = 5000;
/** Longer than a try, which ends earlier. */
const ACK_MS = 60_000;
const GOODBYE_MS = 2000;
const PING_SECONDS = 10;
const PINGS_OUT = 3;

export interface SessionOptions {
  connect(): Promise<NatsConnection>;
  clusterId: string;
  clientId: string;
  subjectTemplate: string;
  log: Logger;
}

/** Connects and registers with the streaming server. @throws RetriableError */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const connection = await options.connect().catch(error => {
    throw toFailure(error);
  });
  try {
    signal.throwIfAborted();
    return await register(connection, options);
  } catch (error) {
    void connection.close();
    throw signal.aborted ? new RetriableError('the output is closed', { reason: 'other' }) : toFailure(error);
  }
}

/**
 * The server gives an id to one client at a time. It asks the one that has it whether it still lives, so after a crash
 * the id is free; but a second daemon with the same configuration needs another one.
 */
async function register(connection: NatsConnection, options: SessionOptions): Promise<Session> {
  const { clusterId, clientId, subjectTemplate, log } = options;
  const connId = randomBytes(16);
  const heartbeats = `_INBOX.${connId.toString('hex')}`;
  connection.subscribe(heartbeats, { callback: (_error, message) => void message.respond() });
  const connect = async (clientID: string) => {
    const request = { clientID, heartbeatInbox: heartbeats, protocol: PROTOCOL, connID: connId };
    const pings = { pingInterval: PING_SECONDS, pingMaxOut: PINGS_OUT };
    const { data } = await connection.request(
      `_STAN.discover.${clusterId}`,
      encode(ConnectRequest, { ...request, ...pings }),
      { timeout: CONNECT_MS },
    );
    return read(ConnectResponse, Buffer.from(data));
  };
  let id = clientId;
  let response = await connect(id);
  if (response.error === ALREADY_REGISTERED) {
    id = `${clientId}-${connId.toString('hex', 0, 4)}`;
    log.info({ clientid: id }, 'another client has the configured id, so this one takes another');
    response = await connect(id);
  }
  if (response.error) throw refused(String(response.error));
  if (!response.pubPrefix) throw misunderstood();
  return new Session({ connection, connId, clientId: id, subjectTemplate, response });
}

interface SessionParts {
  connection: NatsConnection;
  connId: Buffer;
  clientId: string;
  subjectTemplate: string;
  response: Message;
}

export class Session implements Link {
  readonly #parts: SessionParts;
  readonly #lost = new AbortController();
  readonly #pinging: NodeJS.Timeout | undefined;
  #unanswered = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    void this.#watch();
    const seconds = Number(parts.response.pingInterval ?? 0);
    if (seconds > 0) this.#pinging = setInterval(() => void this.#lookAfter(), seconds * 1000).unref();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Resolves when the server has stored the alert. @throws RetriableError, PermanentError when it is too large */
  async publish(alert: Alert): Promise<void> {
    const { clientId, connId, response, subjectTemplate } = this.#parts;
    const subject = toSubject(subjectTemplate, alert);
    const message = { clientID: clientId, guid: alert.uuid, subject, data: alert.bytes, connID: connId };
    const answer = await this.#request(`${response.pubPrefix}.${subject}`, encode(PubMsg, message), ACK_MS);
    const { error, guid } = read(PubAck, answer);
    if (error === INVALID_PUBLISH) throw this.#lose(forgotten());
    if (error) throw refused(String(error));
    if (guid !== alert.uuid) throw misunderstood();
  }

  /** Asks the server whether it still knows this client. @throws RetriableError */
  async ping(): Promise<void> {
    const { connId, response } = this.#parts;
    // A server without pings is asked for a sign of life of its NATS part.
    if (!response.pingRequests) return unlessLost(this.#parts.connection.flush(), this.lost);
    const answer = await this.#request(
      String(response.pingRequests),
      encode(Ping, { connID: connId }),
      CONNECT_MS,
    );
    if (read(PingResponse, answer).error) throw this.#lose(forgotten());
  }

  async close(): Promise<void> {
    const { clientId, response } = this.#parts;
    const goodbye = encode(CloseRequest, { clientID: clientId });
    await this.#request(String(response.closeRequests), goodbye, GOODBYE_MS).catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.#lose(new RetriableError('the connection was lost', { reason: 'network' }));
  }

  async #request(subject: string, data: Uint8Array, timeout: number): Promise<Buffer> {
    if (this.lost.aborted) throw this.lost.reason;
    try {
      const request = this.#parts.connection.request(subject, data, { timeout });
      return Buffer.from((await unlessLost(request, this.lost)).data);
    } catch (error) {
      throw this.lost.aborted ? this.lost.reason : toFailure(error);
    }
  }

  async #lookAfter(): Promise<void> {
    try {
      this.#unanswered++;
      await this.ping();
      this.#unanswered = 0;
    } catch (error) {
      if (this.#unanswered >= PINGS_OUT) this.#lose(toFailure(error));
    }
  }

  /** The client would reconnect, but what it was asked meanwhile it forgets; a new session knows where it stands. */
  async #watch(): Promise<void> {
    for await (const { type } of this.#parts.connection.status()) {
      if (type === 'disconnect') break;
    }
    this.destroy();
  }

  #lose(failure: Error): Error {
    clearInterval(this.#pinging);
    this.#lost.abort(failure);
    void this.#parts.connection.close();
    return failure;
  }
}

/** Reads an answer. @throws RetriableError when it is none of the streaming server's */
function read(type: MessageType, answer: Buffer): Message {
  try {
    return decode(type, answer);
  } catch (cause) {
    throw misunderstood(cause);
  }
}
