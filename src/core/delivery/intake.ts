/** Where a worker's alerts come from: the log, and next to it a replay. Nothing is read beyond what may be held. */
import type { Alert, Clock } from '../contract.ts';
import type { Consumer, Delivery } from '../spool/contract.ts';
import type { Batcher } from './batch.ts';
import { Parking } from './parking.ts';
import type { Replay } from './replay.ts';

export interface IntakeOptions {
  consumer: Consumer;
  accepts(alert: Alert): boolean;
  clock: Clock;
  /** Most alerts, and bytes, of the log that wait for a retry; then new ones stay in the log. */
  limits: { parked: number; parkedBytes: number };
  signal: AbortSignal;
  /** Alerts that were not for the output. */
  skipped(alerts: number): void;
  /** Something may be had now. */
  ready(): void;
  /** Reading the log failed; it is tried again. */
  failed(error: unknown): void;
}

/** Alerts looked at in one go; then others get their turn on the event loop. */
const LOOKS = 2048;
const READ_AGAIN_MS = 1000;

/** Fills the batcher of one output, within what the pump asks for. */
export class Intake {
  replay: Replay | undefined;
  readonly #options: IntakeOptions;
  readonly #batcher: Batcher;
  readonly #parking: Parking;
  #pulling = false;
  #yielded = false;
  #replaysTurn = true;
  #newOnesTurn = false;

  constructor(batcher: Batcher, options: IntakeOptions) {
    this.#batcher = batcher;
    this.#options = options;
    this.#parking = new Parking(options.limits.parked, options.limits.parkedBytes);
  }

  /** Whether `ready` will be called when the log has something, and there is no other source. */
  get isWaiting(): boolean {
    return this.#pulling && !this.replay;
  }

  /** An alert of the log will be handed out again then, on the monotonic clock. */
  park(delivery: Delivery, dueAt: number): void {
    this.#parking.add(delivery, dueAt);
  }

  /** The far side is back: what waits is due now. */
  hasten(): void {
    this.#parking.hasten();
    this.#options.consumer.hasten();
    this.replay?.hasten();
  }

  /** When the next parked alert is due, if that is what new alerts have to wait for. */
  blockedUntil(now: number): number | undefined {
    if (!this.#parking.isFull) return undefined;
    this.#parking.forgetAllBut(this.#options.consumer.stats().waiting);
    if (!this.#parking.isFull) return undefined;
    const next = this.#parking.nextDue();
    return next > now ? next : undefined;
  }

  /** Moves up to `want` alerts into the batcher, no more once they come to `bytes`; log and replay take turns. */
  gather(want: number, bytes: number, now: number): void {
    const toSize = this.#batcher.size + want;
    const toBytes = this.#batcher.bytes + bytes;
    this.replay?.readAhead();
    const replay = this.replay?.available ? this.replay : undefined;
    if (replay) {
      const halfSize = toSize - (want >> 1);
      const halfBytes = this.#batcher.bytes + bytes / 2;
      // Who is first may have but half of it, unless the other one has nothing.
      if (this.#replaysTurn) this.#takeReplay(replay, halfSize, halfBytes, now);
      else this.#takeLive(halfSize, halfBytes, now);
      if (!this.#replaysTurn) this.#takeReplay(replay, toSize, toBytes, now);
      this.#replaysTurn = !this.#replaysTurn;
    }
    this.#takeLive(toSize, toBytes, now);
    if (replay) this.#takeReplay(replay, toSize, toBytes, now);
  }

  /**
   * Moves one alert into the batcher to probe with: in turns a new one, and one that waits for a retry. An alert that
   * the far side never takes would else speak for all others.
   */
  gatherProbe(now: number): void {
    this.#newOnesTurn = !this.#newOnesTurn;
    if (this.#newOnesTurn && !this.#parking.isFull) {
      this.#takeLive(1, Number.POSITIVE_INFINITY, now, 'new');
      if (this.#batcher.size > 0) return;
    }
    this.gather(1, Number.POSITIVE_INFINITY, now);
    if (this.#batcher.size > 0) return;
    // Nothing is due: the one that would be next need not wait for it.
    this.#hastenNext();
    this.gather(1, Number.POSITIVE_INFINITY, now);
  }

  /** Sees to it that `ready` is called when the log has something; it comes as with `gather`. */
  listen(want: number, bytes: number, now: number): void {
    if (want < 1 || bytes < 1 || this.#pulling || this.#yielded) return;
    if (this.blockedUntil(now) !== undefined) return;
    this.#pulling = true;
    const { consumer, signal, ready, failed } = this.#options;
    consumer.pull(this.#allowed(want, now), signal, bytes).then(
      deliveries => {
        // Nothing at all: the log was closed, there is nothing to wait for.
        if (deliveries.length === 0) return;
        this.#pulling = false;
        this.#admit(deliveries, this.#options.clock.monotonic());
        ready();
      },
      error => {
        failed(error);
        setTimeout(() => {
          this.#pulling = false;
          ready();
        }, READ_AGAIN_MS).unref();
      },
    );
  }

  /** Fills the batcher up to that size, or to those bytes and what passes them. */
  #takeReplay(replay: Replay, toSize: number, toBytes: number, now: number): void {
    while (this.#batcher.size < toSize && this.#batcher.bytes < toBytes) {
      const delivery = replay.take();
      if (!delivery) return;
      this.#batcher.add(delivery, now);
    }
  }

  #takeLive(toSize: number, toBytes: number, now: number, only?: 'new'): void {
    if (this.#pulling || this.#yielded) return;
    const batcher = this.#batcher;
    let looks = LOOKS;
    while (batcher.size < toSize && batcher.bytes < toBytes) {
      if (looks <= 0) {
        this.#yield();
        return;
      }
      if (this.blockedUntil(now) !== undefined) return;
      const want = this.#allowed(toSize - batcher.size, now);
      const deliveries = this.#options.consumer.take(want, only, toBytes - batcher.bytes);
      if (deliveries.length === 0) return;
      this.#admit(deliveries, now);
      looks -= deliveries.length;
    }
  }

  /** Past the limit of parked alerts only those that are due may come. */
  #allowed(want: number, now: number): number {
    return this.#parking.isFull ? Math.min(want, this.#parking.due(now) || 1) : want;
  }

  /** Keeps what is for the output, settles the rest. */
  #admit(deliveries: readonly Delivery[], now: number): void {
    let kept = 0;
    for (const delivery of deliveries) {
      if (delivery.attempt > 1) this.#parking.delete(delivery.offset);
      if (this.#options.accepts(delivery.alert)) {
        this.#batcher.add(delivery, now);
        kept++;
      } else {
        delivery.ack();
      }
    }
    if (kept < deliveries.length) this.#options.skipped(deliveries.length - kept);
  }

  #hastenNext(): void {
    this.#parking.hastenNext();
    this.#options.consumer.hasten('next');
    this.replay?.hasten();
  }

  #yield(): void {
    this.#yielded = true;
    setImmediate(() => {
      this.#yielded = false;
      this.#options.ready();
    });
  }
}
