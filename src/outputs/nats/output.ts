import { setImmediate } from 'node:timers/promises';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type * as JetStream from '@nats-io/jetstream';
import type * as Nats from '@nats-io/transport-node';
import type { Alert, Cancellation, Host, Output, SendContext, TlsSettings } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { connectNats } from '../../core/nats/connect.ts';
import { notAgreed, toDenied, toFailure } from '../../core/nats/failures.ts';
import { type Links, sendAll, type Tell } from '../_kit/link.ts';
import { settle } from '../_kit/settle.ts';
import { toSubject } from '../_kit/subject.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { NatsLink } from './link.ts';

export interface NatsConfig {
  hostport: string[];
  subjecttemplate: string;
  jetstream: boolean;
  stream: string;
  username: string;
  password: string;
  token: string;
  nkey: string;
  credentials: string;
}

/** The client's packages. */
export interface NatsPackages {
  transport: typeof Nats;
  jetstream: typeof JetStream;
}

/** How long a stream may take to acknowledge, in milliseconds. */
const ACK_MS = 10_000;

/** So much is published before the server is asked what it has: what it has answered for is not sent again. */
const PORTION_BYTES = 64 * 1024;

export class NatsOutput implements Output, Links<Nats.NatsConnection> {
  readonly #packages: NatsPackages;
  readonly #config: NatsConfig;
  readonly #host: Host;
  readonly #link: NatsLink;
  #tls: TlsOptions | undefined;

  constructor(packages: NatsPackages, config: NatsConfig, host: Host) {
    this.#packages = packages;
    this.#config = config;
    this.#host = host;
    this.#link = new NatsLink({ log: host.log, connect: () => this.#connect() });
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const publish = this.#config.jetstream ? this.#store : this.#publish;
    const failed = await sendAll(
      this,
      alerts.length,
      (connection, tell) => publish.call(this, connection, alerts, tell),
      signal,
      { allWhenLost: true },
    );
    settle(alerts.length, failed);
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.use(async connection => {
      await connection.flush();
      if (this.#config.jetstream && !connection.info?.jetstream) {
        throw new RetriableError('the server runs without JetStream', { reason: 'server_error' });
      }
    }, signal);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** @throws RetriableError | PermanentError */
  async use<T>(work: (connection: Nats.NatsConnection) => Promise<T>, signal: Cancellation): Promise<T> {
    try {
      return await this.#link.use(work, signal);
    } catch (error) {
      throw toFailure(error);
    }
  }

  /**
   * Publishes without waiting, and asks for a sign of life behind each portion: the server answers in order, so its answer
   * says that it has everything before. Nothing may be awaited between the first publish and the last flush, see NatsLink.
   */
  async #publish(connection: Nats.NatsConnection, alerts: readonly Alert[], tell: Tell): Promise<void> {
    const denied = new Set<string>();
    const stopWatching = this.#link.watchDenied(subject => denied.add(subject));
    const answered: Promise<void>[] = [];
    let portion: { index: number; subject: string }[] = [];
    let bytes = 0;
    const flush = async () => {
      const published = portion;
      portion = [];
      bytes = 0;
      await connection.flush();
      // Refusals arrive before the answer, but reach the watcher some microtasks later.
      await setImmediate();
      for (const { index, subject } of published) {
        tell(index, denied.has(subject) ? toDenied(subject) : undefined);
      }
    };
    try {
      alerts.forEach((alert, index) => {
        const subject = toSubject(this.#config.subjecttemplate, alert);
        try {
          connection.publish(subject, alert.bytes);
          portion.push({ index, subject });
          bytes += alert.bytes.length;
          if (bytes >= PORTION_BYTES) answered.push(flush());
        } catch (error) {
          tell(index, toFailure(error));
        }
      });
      answered.push(flush());
      await Promise.all(answered);
    } finally {
      stopWatching();
    }
  }

  /** Publishes to a stream, which acknowledges each alert and drops the ones it has seen by their id. */
  async #store(connection: Nats.NatsConnection, alerts: readonly Alert[], tell: Tell): Promise<void> {
    const stream = this.#packages.jetstream.jetstream(connection, { timeout: ACK_MS });
    const expect = this.#config.stream ? { streamName: this.#config.stream } : {};
    let isSilent = false;
    const publish = async (alert: Alert, index: number) => {
      try {
        const subject = toSubject(this.#config.subjecttemplate, alert);
        const { seq } = await stream.publish(subject, alert.bytes, { msgID: alert.uuid, expect });
        if (!seq) throw notAgreed();
        tell(index);
      } catch (error) {
        const failure = toFailure(error);
        if (failure.reason === 'network') throw failure;
        isSilent ||= failure.reason === 'timeout';
        tell(index, failure);
      }
    };
    await Promise.all(alerts.map(publish));
    // Either the stream is silent or the whole server hangs: nothing more is written to one that does not answer this.
    if (isSilent) await connection.flush();
  }

  #connect(): Promise<Nats.NatsConnection> {
    this.#tls ??= toTlsOptions(this.#host.tls);
    return connectNats(this.#packages.transport, {
      servers: this.#config.hostport,
      login: this.#config,
      tls: this.#tls,
      expectsTls: hasDetails(this.#host.tls),
      name: 'tiercel',
    });
  }
}

/** Whether TLS was set up for this output, which says that the server is likely to want it. */
function hasDetails({ ca, cert, verify, serverName }: TlsSettings): boolean {
  return Boolean(ca?.length || cert || serverName || !verify);
}
