/**
 * Puts alerts into the stream: published one behind the other without waiting, each counted as stored when the stream
 * has acknowledged it. Wire format of the acknowledgement: docs.nats.io, JetStream, publishing.
 */
import type * as Transport from '@nats-io/transport-node';
import type { Alert } from '../../alert/alert.ts';
import { notAgreed } from '../../nats/failures.ts';
import type { Session } from './link.ts';

/** Header with the time of the alert's arrival, in milliseconds since the epoch: the stream has only that of storing. */
export const ARRIVED = 'Tiercel-Arrived';
/** Header with the alert's uuid, and what tells its tries apart: by it the server knows what it has already. */
export const MESSAGE_ID = 'Nats-Msg-Id';

/** An acknowledgement that takes longer is not waited for: the alert goes the other way. */
const ACK_TIMEOUT_MS = 2_000;
const CHECK_MS = 250;
/** Published and not acknowledged: what is more goes the other way, so that a server that hangs is handed no more. */
const MOST_PENDING_BYTES = 16 * 2 ** 20;
/** Headers, subject and framing that come on top of the alert's bytes. */
const OVERHEAD_BYTES = 512;

/**
 * The stream is at its limit and discards what is new: JSStreamStoreFailedF of server/errors.json of nats-server, with one
 * of the ErrMax... of server/store.go. The same code stands for a disk that fails, which is no limit of the stream.
 */
const STORE_FAILED = 10077;
const AT_LIMIT = /^maximum .+ exceeded$/;
/** The server is about to store a message of the same id: JSStreamDuplicateMessageConflict. */
const IN_PROCESS = 10158;

/** Some alerts were not stored, or may not have been. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  /** The stream is full and set to refuse. */
  readonly isFull: boolean;

  constructor(message: string, isFull = false) {
    super(message);
    this.isFull = isFull;
  }
}

/** Alerts published together. */
interface Group extends PromiseWithResolvers<void> {
  left: number;
  error: PublishError | undefined;
  sentAt: number;
}

interface Sent {
  group: Group;
  alert: Alert;
}

interface Answer {
  seq?: number;
  error?: { err_code?: number; description?: string };
}

export class Publisher {
  readonly #transport: typeof Transport;
  readonly #subject: string;
  readonly #stored: (offset: number, alert: Alert) => void;
  readonly #pending = new Map<string, Sent>();
  /** How often the server has refused an alert. */
  readonly #refusals = new WeakMap<Alert, number>();
  #pendingBytes = 0;
  /** Something was not acknowledged in time, and the server has not answered since. */
  #isSilent = false;
  #connection: Transport.NatsConnection | undefined;
  /** What the server took at most when it was last there; nobody knows before its first word. */
  #maxPayload = Number.POSITIVE_INFINITY;
  #inbox = '';
  #subscription: Transport.Subscription | undefined;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param stored told of each alert that was stored, and where */
  constructor(transport: typeof Transport, subject: string, stored: (offset: number, alert: Alert) => void) {
    this.#transport = transport;
    this.#subject = subject;
    this.#stored = stored;
  }

  up({ connection }: Session): void {
    this.#connection = connection;
    this.#isSilent = false;
    this.#inbox = this.#transport.createInbox();
    this.#subscription = this.#subscribe(connection);
  }

  /** What is under way may or may not have been stored. */
  down(): void {
    this.#failAll(new PublishError('the connection to NATS was lost'));
    this.#maxPayload = this.#limit;
    this.#connection = undefined;
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  /** Whether an alert of that size can be stored at all, as far as the server has told; also while it is away. */
  fits(alert: Alert): boolean {
    return alert.byteLength + OVERHEAD_BYTES <= this.#limit;
  }

  /**
   * Resolves when the stream has all alerts.
   * @param arrivedAt milliseconds since the epoch, of each alert
   * @throws PublishError when not all are known to be stored
   */
  publish(alerts: readonly Alert[], arrivedAt: (index: number) => number): Promise<void> {
    if (alerts.length === 0) return Promise.resolve();
    const connection = this.#connection;
    if (!connection) return Promise.reject(new PublishError('not connected to NATS'));
    if (this.#isSilent) return Promise.reject(new PublishError('the NATS server does not answer'));
    if (this.#pendingBytes >= MOST_PENDING_BYTES) {
      return Promise.reject(new PublishError('JetStream acknowledges too slowly'));
    }
    const group: Group = {
      ...Promise.withResolvers<void>(),
      left: alerts.length,
      error: undefined,
      sentAt: performance.now(),
    };
    this.#timer ??= setInterval(() => this.#check(), CHECK_MS).unref();
    alerts.forEach((alert, index) => {
      const token = (this.#count++).toString(36);
      const headers = this.#transport.headers();
      headers.set(MESSAGE_ID, this.#idOf(alert));
      headers.set(ARRIVED, String(arrivedAt(index)));
      this.#pending.set(token, { group, alert });
      this.#pendingBytes += alert.byteLength;
      try {
        connection.publish(this.#subject, alert.bytes, { headers, reply: `${this.#inbox}.${token}` });
      } catch (error) {
        this.#take(token);
        settle(group, new PublishError((error as Error).message));
      }
    });
    return group.promise;
  }

  close(): void {
    this.down();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get #limit(): number {
    return this.#connection?.info?.max_payload ?? this.#maxPayload;
  }

  /**
   * A message that was refused goes out under another id: clusters of nats-server 2.10 and 2.11 keep the id of what they
   * have not stored, and take the message for a repeat of it.
   */
  #idOf(alert: Alert): string {
    const refusals = this.#refusals.get(alert);
    return refusals === undefined ? alert.uuid : `${alert.uuid}.${refusals}`;
  }

  #subscribe(connection: Transport.NatsConnection): Transport.Subscription {
    const prefix = this.#inbox.length + 1;
    return connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error) return this.#failAll(new PublishError(error.message));
        const token = message.subject.slice(prefix);
        const sent = this.#take(token);
        if (sent) settle(sent.group, this.#read(message, sent.alert));
      },
    });
  }

  #read(message: Transport.Msg, alert: Alert): PublishError | undefined {
    // Nobody listens to the subject: the stream has no leader at present.
    if (message.data.length === 0) return new PublishError('no JetStream stream takes the alerts at present');
    let answer: Answer;
    try {
      answer = JSON.parse(message.string()) as Answer;
    } catch {
      return new PublishError('something else than JetStream answers');
    }
    if (answer.error) {
      const { err_code = 0, description = 'no reason given' } = answer.error;
      if (err_code !== IN_PROCESS) this.#refusals.set(alert, (this.#refusals.get(alert) ?? 0) + 1);
      const isFull = err_code === STORE_FAILED && AT_LIMIT.test(description);
      return new PublishError(`JetStream refused the alert: ${description}`, isFull);
    }
    if (!answer.seq) return new PublishError(notAgreed().message);
    this.#stored(answer.seq, alert);
    return undefined;
  }

  #check(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const late = performance.now() - ACK_TIMEOUT_MS;
    for (const [token, { group }] of this.#pending) {
      if (group.sentAt > late) return;
      this.#take(token);
      settle(group, new PublishError('JetStream does not acknowledge'));
      this.#askForLife();
    }
  }

  /** Is it JetStream alone, or does the whole server hang? Until it answers, nothing more is written to it. */
  #askForLife(): void {
    if (this.#isSilent || !this.#connection) return;
    this.#isSilent = true;
    this.#connection.flush().then(
      () => {
        this.#isSilent = false;
      },
      // The connection broke, and the next one is another.
      () => undefined,
    );
  }

  #take(token: string): Sent | undefined {
    const sent = this.#pending.get(token);
    if (!sent) return undefined;
    this.#pending.delete(token);
    this.#pendingBytes -= sent.alert.byteLength;
    return sent;
  }

  #failAll(error: PublishError): void {
    for (const { group } of this.#pending.values()) settle(group, error);
    this.#pending.clear();
    this.#pendingBytes = 0;
  }
}

function settle(group: Group, error: PublishError | undefined): void {
  group.error ??= error;
  if (--group.left > 0) return;
  if (group.error) group.reject(group.error);
  else group.resolve();
}
