/**
 * Tells the server what has become of alerts. An answer that was on its way when the connection broke is sent again:
 * otherwise the server would hand out what is long delivered.
 */
import type * as Transport from '@nats-io/transport-node';
import type { Session } from './link.ts';
import { within } from './within.ts';

const encode = (text: string) => Buffer.from(text);

/** Wire format: docs.nats.io, JetStream, consumers, acknowledgement models. */
const ACK = encode('+ACK');
const NAK = encode('-NAK');
const IN_PROGRESS = encode('+WPI');
const TERM = encode('+TERM');

/** How long answers are gathered before the server is asked whether it has them. */
const CONFIRM_MS = 100;

interface Answer {
  reply: string;
  payload: Uint8Array;
}

/** Where an answer goes is undefined for an alert of which nobody has to know. */
export class Acks {
  #connection: Transport.NatsConnection | undefined;
  /** Sent or to be sent, and not known to have arrived. */
  #open: Answer[] = [];
  #confirming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  up({ connection }: Session): void {
    this.#connection = connection;
    for (const answer of this.#open) this.#publish(answer);
    if (this.#open.length > 0) this.#confirmSoon();
  }

  down(): void {
    this.#connection = undefined;
  }

  /** The stream that the answers are about is no more: in a new one they would be taken for others'. */
  forget(): void {
    this.#open = [];
  }

  /** Done with it. */
  ack(reply: string): void {
    this.#answer({ reply, payload: ACK });
  }

  /** Never to be handed out again: it cannot be read. */
  term(reply: string): void {
    this.#answer({ reply, payload: TERM });
  }

  /** For any replica, after that time at the earliest. */
  nak(reply: string | undefined, afterMs = 0): void {
    const payload =
      afterMs > 0 ? encode(`-NAK ${JSON.stringify({ delay: Math.ceil(afterMs) * 1_000_000 })}`) : NAK;
    if (reply !== undefined) this.#answer({ reply, payload });
  }

  /** Still in our hands. Not worth repeating. */
  inProgress(reply: string | undefined): void {
    if (reply !== undefined) this.#publish({ reply, payload: IN_PROGRESS });
  }

  /** Resolves when the server has all answers, or the time is over. */
  async close(withinMs: number): Promise<void> {
    clearTimeout(this.#timer);
    await within(this.#confirming?.then(() => this.#confirm()) ?? this.#confirm(), withinMs);
  }

  #answer(answer: Answer): void {
    this.#open.push(answer);
    this.#publish(answer);
    this.#confirmSoon();
  }

  #publish({ reply, payload }: Answer): void {
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
