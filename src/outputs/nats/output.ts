import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type * as Nats from 'nats';
import type { Alert, Host, Output, SendContext, TlsSettings } from '../../core/contract.ts';
import { type PermanentError, RetriableError } from '../../core/errors.ts';
import { settle } from '../_kit/settle.ts';
import { toSubject } from '../_kit/subject.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { toDenied, toFailure } from './failures.ts';
import { NatsLink } from './link.ts';
import { parseServers } from './servers.ts';

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

/** How long a server may take to say hello, and a stream to acknowledge, in milliseconds. */
const CONNECT_MS = 5000;
const ACK_MS = 10_000;

type Failures = Map<number, RetriableError | PermanentError>;

export class NatsOutput implements Output {
  readonly #nats: typeof Nats;
  readonly #config: NatsConfig;
  readonly #host: Host;
  readonly #link: NatsLink;
  #tls: TlsOptions | undefined;

  constructor(nats: typeof Nats, config: NatsConfig, host: Host) {
    this.#nats = nats;
    this.#config = config;
    this.#host = host;
    this.#link = new NatsLink({ nats, log: host.log, connect: () => this.#connect() });
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const publish = this.#config.jetstream ? this.#store : this.#publish;
    const failed = await this.#use(connection => publish.call(this, connection, alerts), signal);
    settle(alerts.length, failed);
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#use(async connection => {
      await connection.flush();
      if (this.#config.jetstream && !connection.info?.jetstream) {
        throw new RetriableError('the server runs without JetStream', { reason: 'server_error' });
      }
    }, signal);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  async #use<T>(work: (connection: Nats.NatsConnection) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#link.use(work, signal);
    } catch (error) {
      throw toFailure(error);
    }
  }

  /**
   * Publishes without waiting, then asks for one sign of life: the server answers in order, so its answer says that it
   * has everything. Nothing may be awaited between the first publish and the flush, see NatsLink.
   */
  async #publish(connection: Nats.NatsConnection, alerts: readonly Alert[]): Promise<Failures> {
    const failed: Failures = new Map();
    const denied = new Set<string>();
    const stopWatching = this.#link.watchDenied(subject => denied.add(subject));
    try {
      const subjects = alerts.map(alert => toSubject(this.#config.subjecttemplate, alert));
      alerts.forEach((alert, index) => {
        try {
          connection.publish(subjects[index]!, alert.bytes);
        } catch (error) {
          failed.set(index, toFailure(error));
        }
      });
      await connection.flush();
      // Refusals arrive before the answer, but reach the watcher some microtasks later.
      await setImmediate();
      subjects.forEach((subject, index) => {
        if (denied.has(subject)) failed.set(index, toDenied(subject));
      });
    } finally {
      stopWatching();
    }
    return failed;
  }

  /** Publishes to a stream, which acknowledges each alert and drops the ones it has seen by their id. */
  async #store(connection: Nats.NatsConnection, alerts: readonly Alert[]): Promise<Failures> {
    const failed: Failures = new Map();
    const stream = connection.jetstream({ timeout: ACK_MS });
    const expect = this.#config.stream ? { streamName: this.#config.stream } : {};
    const publish = async (alert: Alert) =>
      stream.publish(toSubject(this.#config.subjecttemplate, alert), alert.bytes, {
        msgID: alert.uuid,
        expect,
      });
    const results = await Promise.allSettled(alerts.map(publish));
    results.forEach((result, index) => {
      if (result.status === 'rejected') failed.set(index, toFailure(result.reason));
    });
    return failed;
  }

  async #connect(): Promise<Nats.NatsConnection> {
    const { addresses, secure, ...login } = parseServers(this.#config.hostport);
    const options: Nats.ConnectionOptions = {
      servers: addresses,
      name: 'tiercel',
      timeout: CONNECT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      pingInterval: 30_000,
      noAsyncTraces: true,
      ...(await this.#credentials(login)),
    };
    this.#tls ??= toTlsOptions(this.#host.tls);
    // The package hands these on to tls.connect, but declares only some of them.
    const encrypted = { ...options, tls: this.#tls as Nats.TlsOptions };
    if (secure) return this.#nats.connect(encrypted);
    // Without tls:// in the address, TLS is used where the server wants it and not missed where it has none. The client
    // knows no such mode: it takes `tls` for a demand, and without it trusts only the authorities that Node brings.
    return this.#either(hasDetails(this.#host.tls) ? [encrypted, options] : [options, encrypted]);
  }

  /** The first connection that comes about; credentials that were refused are not offered again. */
  async #either([first, second]: [
    Nats.ConnectionOptions,
    Nats.ConnectionOptions,
  ]): Promise<Nats.NatsConnection> {
    const { ServerOptionNotAvailable } = this.#nats.ErrorCode;
    try {
      return await this.#nats.connect(first);
    } catch (error) {
      if (toFailure(error).reason === 'auth') throw error;
      return await this.#nats.connect(second).catch(other => {
        throw other.code === ServerOptionNotAvailable ? error : other;
      });
    }
  }

  async #credentials(login: {
    user?: string;
    password?: string;
    token?: string;
  }): Promise<Partial<Nats.ConnectionOptions>> {
    const { credentials, nkey, token, username, password } = this.#config;
    const { credsAuthenticator, nkeyAuthenticator } = this.#nats;
    if (credentials) {
      const text = credentials.includes('-----BEGIN') ? credentials : await readFile(credentials, 'utf8');
      return { authenticator: credsAuthenticator(Buffer.from(text)) };
    }
    if (nkey) return { authenticator: nkeyAuthenticator(Buffer.from(nkey.trim())) };
    if (token) return { token };
    if (username) return { user: username, pass: password };
    if (login.token !== undefined) return { token: login.token };
    return login.user === undefined ? {} : { user: login.user, pass: login.password };
  }
}

/** Whether TLS was set up for this output, which says that the server is likely to want it. */
function hasDetails({ ca, cert, verify, serverName }: TlsSettings): boolean {
  return Boolean(ca?.length || cert || serverName || !verify);
}
