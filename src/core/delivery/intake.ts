/** Where a worker's alerts come from: the log, and next to it a replay. Nothing is read beyond what may be held. */
import type { Alert, Clock } from '../contract.ts';
import type { Consumer, Delivery } from '../spool/contract.ts';
import type { Batcher } from './batch.ts';
import type { Replay } from './replay.ts';

export interface IntakeOptions {
  consumer: Consumer;
  accepts(alert: Alert): boolean;
  clock: Clock;
  /** Most alerts of the log that wait for a retry; then new ones stay in the log. */
  maxParked: number;
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
/** What the log's timers may lag behind, in milliseconds: asked earlier, it would hand out a new alert instead. */
const SLACK_MS = 5;

export class Intake {
  replay: Replay | undefined;
  readonly #options: IntakeOptions;
  readonly #batcher: Batcher;
  /** When the alerts that wait for a retry are due, on the monotonic clock. */
  #parked: number[] = [];
  #pulling = false;
  #yielded = false;
  #replaysTurn = true;
  #newOnesTurn = false;

  constructor(batcher: Batcher, options: IntakeOptions) {
    this.#batcher = batcher;
    this.#options = options;
  }

  get parked(): number {
    return this.#parked.length;
  }

  /** An alert of the log will be handed out again then. */
  park(dueAt: number): void {
    this.#parked.push(dueAt + SLACK_MS);
  }

  /** The far side is back: what waits is due now. */
  hasten(): void {
    // Still parked until they are handed out, or new ones would come on top of them.
    this.#parked.fill(0);
    this.#options.consumer.hasten();
    this.replay?.hasten();
  }

  /** When the next parked alert is due, if that is what new alerts have to wait for. */
  blockedUntil(now: number): number | undefined {
    if (this.#parked.length < this.#options.maxParked) return undefined;
    this.#forgetDropped();
    if (this.#parked.length < this.#options.maxParked) return undefined;
    const next = Math.min(...this.#parked);
    return next > now ? next : undefined;
  }

  /** Moves up to `want` alerts into the batcher, log and replay taking turns. */
  gather(want: number, now: number): void {
    const before = this.#batcher.size;
    const replay = this.replay?.available ? this.replay : undefined;
    if (!replay) {
      this.#takeLive(want, now);
      return;
    }
    const share = want === 1 ? Number(this.#replaysTurn) : want >> 1;
    this.#replaysTurn = !this.#replaysTurn;
    this.#takeReplay(replay, share, now);
    this.#takeLive(want - (this.#batcher.size - before), now);
    this.#takeReplay(replay, want - (this.#batcher.size - before), now);
  }

  /**
   * Moves one alert into the batcher to probe with: in turns a new one, and one that waits for a retry. An alert that
   * the far side never takes would else speak for all others.
   */
  gatherProbe(now: number): void {
    this.#newOnesTurn = !this.#newOnesTurn;
    if (this.#newOnesTurn && this.#parked.length < this.#options.maxParked) {
      this.#takeLive(1, now, 'new');
      if (this.#batcher.size > 0) return;
    }
    this.gather(1, now);
    if (this.#batcher.size > 0) return;
    // Nothing is due: the one that would be next need not wait for it.
    this.#hastenNext();
    this.gather(1, now);
  }

  /** Sees to it that `ready` is called when the log has something. */
  listen(want: number, now: number): void {
    if (this.#pulling || this.#yielded || this.blockedUntil(now) !== undefined) return;
    this.#pulling = true;
    const { consumer, signal, ready, failed } = this.#options;
    consumer.pull(this.#allowed(want, now), signal).then(
      deliveries => {
        this.#pulling = false;
        // Nothing at all: the log was closed, there is nothing to wait for.
        if (deliveries.length === 0) {
          this.#pulling = true;
          return;
        }
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

  #takeReplay(replay: Replay, max: number, now: number): void {
    for (let left = max; left > 0; left--) {
      const delivery = replay.take();
      if (!delivery) return;
      this.#batcher.add(delivery, now);
    }
  }

  #takeLive(max: number, now: number, only?: 'new'): void {
    if (this.#pulling || this.#yielded) return;
    let looks = LOOKS;
    for (let left = max; left > 0; ) {
      if (this.blockedUntil(now) !== undefined) return;
      const deliveries = this.#options.consumer.take(this.#allowed(left, now), only);
      if (deliveries.length === 0) return;
      left -= this.#admit(deliveries, now);
      looks -= deliveries.length;
      if (looks <= 0 && left > 0) {
        this.#yield();
        return;
      }
    }
  }

  /** Past the limit of parked alerts only those that are due may come. */
  #allowed(want: number, now: number): number {
    if (this.#parked.length < this.#options.maxParked) return want;
    return Math.min(want, this.#parked.filter(dueAt => dueAt <= now).length || 1);
  }

  /** Keeps what is for the output, settles the rest. Returns how many were kept. */
  #admit(deliveries: readonly Delivery[], now: number): number {
    let kept = 0;
    for (const delivery of deliveries) {
      if (delivery.attempt > 1) this.#unpark();
      if (this.#options.accepts(delivery.alert)) {
        this.#batcher.add(delivery, now);
        kept++;
      } else {
        delivery.ack();
      }
    }
    if (kept < deliveries.length) this.#options.skipped(deliveries.length - kept);
    return kept;
  }

  #hastenNext(): void {
    if (this.#parked.length > 0) this.#parked[this.#earliest()] = 0;
    this.#options.consumer.hasten('next');
    this.replay?.hasten();
  }

  /** Where the parked alert stands that is due first. */
  #earliest(): number {
    let earliest = 0;
    // None is before 0: when all have been hastened, the first look is enough.
    for (let index = 1; index < this.#parked.length && this.#parked[earliest]! > 0; index++) {
      if (this.#parked[index]! < this.#parked[earliest]!) earliest = index;
    }
    return earliest;
  }

  #unpark(): void {
    if (this.#parked.length === 0) return;
    const earliest = this.#earliest();
    this.#parked[earliest] = this.#parked.at(-1)!;
    this.#parked.pop();
  }

  /** What a full log has dropped will not come back. */
  #forgetDropped(): void {
    const gone = this.#parked.length - this.#options.consumer.stats().waiting;
    if (gone > 0) this.#parked = this.#parked.sort((a, b) => a - b).slice(gone);
  }

  #yield(): void {
    this.#yielded = true;
    setImmediate(() => {
      this.#yielded = false;
      this.#options.ready();
    });
  }
}
