/**
 * Where alerts go in: straight into the stream, or into the buffer on this machine's disk while the stream cannot be
 * reached. What is in the buffer goes to the stream in order, and alerts that come meanwhile queue up behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../alert/alert.ts';
import type { Clock, Logger } from '../../contract.ts';
import { AlertTooLargeError, type Consumer, type Delivery, type Spool, SpoolFullError } from '../contract.ts';
import { BURY_AGAIN_MS } from '../letters/letter.ts';
import { PublishError, type Publisher } from './publisher.ts';
import { within } from './within.ts';

/** Alerts, and their bytes, that go from the buffer to the stream at once. */
const DRAIN_BATCH = 512;
const DRAIN_BYTES = 4 * 2 ** 20;
const DRAIN_AGAIN_MS = 500;
/** Name of the buffer's one consumer. */
const DRAIN = 'stream';
const TOO_LARGE = 'an alert is larger than the NATS server takes (max_payload)';

export interface FrontOptions {
  publisher: Publisher;
  buffer: Spool;
  clock: Clock;
  log: Logger;
  /** Whether the stream can be reached; rejects never, waits for consumers that are being made. */
  usable(): boolean | Promise<boolean>;
  /** The stream is full: what every output has may go. */
  makeRoom(): Promise<void>;
  /** The oldest sequence in the stream, as far as is known. */
  first(): number;
}

export class Front {
  readonly #options: FrontOptions;
  readonly #drain: Consumer;
  readonly #life = new AbortController();
  /** Why alerts go into the buffer; undefined: they do not. */
  #detour: string | undefined;
  #draining: Promise<void> | undefined;
  /** The oldest sequence in the stream when that last refused an alert as it was full. */
  #fullAt = Number.NEGATIVE_INFINITY;
  #appending = 0;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#drain = options.buffer.consumer(DRAIN, 'beginning');
    const { depth } = this.#drain.stats();
    if (depth > 0) {
      this.#detour = 'alerts of the last run are on their way from the local buffer to NATS';
      options.log.info({ alerts: depth }, this.#detour);
    }
  }

  /** Why alerts go into the buffer at present. */
  get detour(): string | undefined {
    return this.#detour;
  }

  /** Alerts in the buffer. */
  get buffered(): number {
    return this.#drain.stats().depth;
  }

  /** Whether the stream has refused an alert as it was full, and nothing of it has gone since. */
  get isFull(): boolean {
    return this.#options.first() <= this.#fullAt;
  }

  /** @throws SpoolFullError | SpoolFaultError | AlertTooLargeError */
  async append(alerts: readonly Alert[]): Promise<void> {
    const { publisher, clock, usable } = this.#options;
    const large = alerts.find(alert => !publisher.fits(alert));
    if (large) throw new AlertTooLargeError(TOO_LARGE);
    if (this.#detour !== undefined) return this.#divert(alerts);
    const ready = usable();
    // Not even the wait of a microtask when all is well.
    if (ready !== true && !(await ready)) return this.#divert(alerts, 'NATS cannot be reached');
    const now = Math.floor(clock.now());
    try {
      await publisher.publish(alerts, () => now);
      this.#fullAt = Number.NEGATIVE_INFINITY;
    } catch (error) {
      if (!(error instanceof PublishError)) throw error;
      if (error.isFull) return this.#appendFull(alerts, now);
      return this.#divert(alerts, error.message);
    }
  }

  /** The stream can be reached again. */
  up(): void {
    if (this.#detour === undefined && this.buffered === 0) return;
    this.#draining ??= this.#run().finally(() => {
      this.#draining = undefined;
    });
  }

  /** It cannot: what comes goes into the buffer. */
  down(why: string): void {
    // It may be another stream when it is back.
    this.#fullAt = Number.NEGATIVE_INFINITY;
    this.#enter(why);
  }

  /** Resolves when the buffer is empty, or the time is over. */
  async flush(withinMs: number): Promise<void> {
    await within(this.#draining, withinMs);
  }

  async close(): Promise<void> {
    this.#life.abort();
    this.#drain.close();
    await this.#draining;
    await this.#options.buffer.close();
  }

  #enter(why: string): void {
    if (this.#detour === undefined) {
      this.#options.log.warn({ why }, 'alerts go into the local buffer until NATS takes them');
    }
    this.#detour = why;
  }

  async #divert(alerts: readonly Alert[], why?: string): Promise<void> {
    if (why !== undefined) this.#enter(why);
    this.#appending++;
    try {
      await this.#options.buffer.append(alerts);
    } finally {
      this.#appending--;
    }
    if (this.#options.usable() === true) this.up();
  }

  /** What all outputs have makes room; when that is not enough, the alert is refused. */
  async #appendFull(alerts: readonly Alert[], now: number): Promise<void> {
    const { publisher, makeRoom, first } = this.#options;
    try {
      await makeRoom();
      await publisher.publish(alerts, () => now);
    } catch (error) {
      if (error instanceof PublishError && !error.isFull) return this.#divert(alerts, error.message);
      this.#fullAt = first();
      throw new SpoolFullError('the stream is full: outputs have not taken what it holds', { cause: error });
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#life;
    const { log, usable } = this.#options;
    let moved = 0;
    while (!signal.aborted && (await usable())) {
      const deliveries = await this.#next();
      if (deliveries.length === 0) {
        // What was on its way into the buffer is there by now, or will be.
        if (this.#appending > 0 || this.buffered > 0) continue;
        this.#detour = undefined;
        log.info({ alerts: moved }, 'the local buffer is empty: alerts go straight to NATS again');
        return;
      }
      if (await this.#move(deliveries)) moved += deliveries.length;
      else await sleep(DRAIN_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** What is in the buffer; nothing when it is empty. */
  #next(): Promise<Delivery[]> {
    if (this.buffered === 0) return sleep(0, []);
    return this.#drain.pull(DRAIN_BATCH, this.#life.signal, DRAIN_BYTES);
  }

  async #move(deliveries: readonly Delivery[]): Promise<boolean> {
    const { publisher, makeRoom } = this.#options;
    const fitting = deliveries.filter(({ alert }) => publisher.fits(alert));
    try {
      await publisher.publish(
        fitting.map(({ alert }) => alert),
        index => fitting[index]!.appendedAt,
      );
    } catch (error) {
      for (const delivery of deliveries) delivery.retry(0, error as Error);
      if (error instanceof PublishError && error.isFull) await makeRoom().catch(() => undefined);
      this.#detour = (error as Error).message;
      return false;
    }
    for (const delivery of fitting) delivery.ack();
    for (const delivery of deliveries) if (!fitting.includes(delivery)) await this.#keep(delivery);
    return true;
  }

  /** Taken before the server had told its limit, or before that was lowered: it stays on this machine. */
  async #keep(delivery: Delivery): Promise<void> {
    const { log } = this.#options;
    const { uuid, bytes } = delivery.alert;
    const fields = { uuid, bytes: bytes.length };
    const what = 'an alert in the buffer is larger than the NATS server takes (max_payload)';
    const refusal = new AlertTooLargeError(TOO_LARGE);
    try {
      await delivery.bury(refusal);
      log.error(fields, `${what}; it is kept as a dead letter of the buffer`);
    } catch (error) {
      delivery.retry(BURY_AGAIN_MS, refusal);
      const fault = (error as Error).message;
      log.error({ ...fields, fault }, `${what}; it stays there, as its dead letter cannot be stored`);
    }
  }
}
