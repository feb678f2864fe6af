/**
 * Tells the server what has become of alerts. An answer that was on its way when the connection broke is sent again:
 * otherwise the server would hand out what is long delivered.
 */
import type * as Transport from '@nats-io/transport-node';
import type { Session } from './link.ts';
import type { Stored } from './lost-end.ts';
import { within } from './within.ts';

const encode = (text: string) => Buffer.from(text);

/** Wire format: docs.nats.io, JetStream, consumers, acknowledgement models. */
const ACK = encode('+ACK');
const NAK = encode('-NAK');
const IN_PROGRESS = encode('+WPI');
const TERM = encode('+TERM');

/** How long answers are gathered before the server is asked whether it has them. */
const CONFIRM_MS = 100;

/** A message in our hands. */
export interface HandedOut extends Stored {
  /** Subject that takes what becomes of it; undefined when nobody has to know. */
  readonly reply: string | undefined;
}

interface Answer extends Stored {
  reply: string;
  payload: Uint8Array;
}

export class Acks {
  #connection: Transport.NatsConnection | undefined;
  /** Sent or to be sent, and not known to have arrived. */
  #open: Answer[] = [];
  #confirming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  up({ connection }: Session): void {
    this.#connection = connection;
    for (const { reply, payload } of this.#open) this.#publish(reply, payload);
    if (this.#open.length > 0) this.#confirmSoon();
  }

  down(): void {
    this.#connection = undefined;
  }

  /** What the server does not know to be answered for. */
  get open(): readonly Stored[] {
    return this.#open;
  }

  /** The messages from that sequence on are no more: the answers would be taken for those of others in their place. */
  forget(from: number): void {
    this.#open = this.#open.filter(({ offset }) => offset < from);
  }

  /** Done with it. */
  ack(message: HandedOut): void {
    this.#answer(message, ACK);
  }

  /** Never to be handed out again: it cannot be read. */
  term(message: HandedOut): void {
    this.#answer(message, TERM);
  }

  /** For any replica, after that time at the earliest. */
  nak(message: HandedOut, afterMs = 0): void {
    const payload =
      afterMs > 0 ? encode(`-NAK ${JSON.stringify({ delay: Math.ceil(afterMs) * 1_000_000 })}`) : NAK;
    this.#answer(message, payload);
  }

  /** Still in our hands. Not worth repeating. */
  inProgress({ reply }: HandedOut): void {
    if (reply !== undefined) this.#publish(reply, IN_PROGRESS);
  }

  /** Resolves when the server has all answers, or the time is over. */
  async close(withinMs: number): Promise<void> {
    clearTimeout(this.#timer);
    await within(this.#confirming?.then(() => this.#confirm()) ?? this.#confirm(), withinMs);
  }

  #answer({ offset, storedAt, reply }: HandedOut, payload: Uint8Array): void {
    if (reply === undefined) return;
    this.#open.push({ offset, storedAt, reply, payload });
    this.#publish(reply, payload);
    this.#confirmSoon();
  }

  #publish(reply: string, payload: Uint8Array): void {
    try {
      this.#connection?.publish(reply, payload);
    } catch {
      // Closed just now: it stays open and goes over the next connection.
    }
  }

  #confirmSoon(): void {
    if (this.#timer !== undefined || this.#confirming) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#confirming = this.#confirm().finally(() => {
        this.#confirming = undefined;
        if (this.#open.length > 0 && this.#connection) this.#confirmSoon();
      });
    }, CONFIRM_MS);
    this.#timer.unref();
  }

  /** The server takes what comes over a connection in order: its answer says that it has had all before. */
  async #confirm(): Promise<void> {
    const connection = this.#connection;
    const open = this.#open;
    const count = open.length;
    if (!connection || count === 0) return;
    try {
      await connection.flush();
      // Another list: those that were asked about are forgotten, and of what it holds nothing is known.
      if (this.#connection === connection && this.#open === open) open.splice(0, count);
    } catch {
      // The connection broke: they are sent again over the next one.
    }
  }
}
