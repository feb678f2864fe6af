/** A replay as the worker sees it: deliveries of another source, of which only a few are held at a time. */
import type { Alert, Clock } from '../contract.ts';
import type { Delivery } from '../spool/contract.ts';
import { MAX_TIMER_MS } from './alarm.ts';
import { toFailure } from './failure.ts';

export interface ReplayOptions {
  source: AsyncIterable<Delivery>;
  /** How many alerts there are, when it is known. */
  total: number | undefined;
  /** Most deliveries held and not settled. */
  window: number;
  clock: Clock;
  /** Told when something can be taken. */
  ready(): void;
}

/** Reads ahead by a window, keeps what waits for a retry itself, and resolves `finished` when all is settled. */
export class Replay {
  readonly finished: Promise<void>;
  done = 0;
  failed = 0;
  #read = 0;
  /** Read and not settled. */
  #open = 0;
  #reading = false;
  #exhausted = false;
  #closed = false;
  readonly #total: number | undefined;
  readonly #window: number;
  readonly #clock: Clock;
  readonly #ready: () => void;
  readonly #source: AsyncIterator<Delivery>;
  readonly #buffer: Delivery[] = [];
  readonly #waiting = new Set<{ delivery: Delivery; timer: NodeJS.Timeout }>();
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(options: ReplayOptions) {
    this.#source = options.source[Symbol.asyncIterator]();
    this.#total = options.total;
    this.#window = options.window;
    this.#clock = options.clock;
    this.#ready = options.ready;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get total(): number {
    return this.#total ?? this.#read;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether something can be taken; reads ahead. */
  get available(): boolean {
    this.#fill();
    return this.#buffer.length > 0;
  }

  take(): Delivery | undefined {
    return this.#buffer.shift();
  }

  /** Makes what waits for a retry due now. */
  hasten(): void {
    for (const { delivery, timer } of this.#waiting) {
      clearTimeout(timer);
      this.#buffer.push(delivery);
    }
    this.#waiting.clear();
  }

  /** Ends early; what is not settled stays with the source. */
  close(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { timer } of this.#waiting) clearTimeout(timer);
    this.#waiting.clear();
    this.#buffer.length = 0;
    // Not awaited: a generator that is waiting for something answers only after that.
    this.#source.return?.()?.catch(() => {});
    this.#reject(error);
  }

  settled(outcome: 'done' | 'failed'): void {
    this.#open--;
    this[outcome]++;
    if (this.#closed) return;
    if (this.#exhausted && this.#open === 0) this.#finish();
    else this.#fill();
  }

  again(delivery: Delivery, afterMs: number): void {
    if (this.#closed) return;
    const parked = {
      delivery,
      timer: setTimeout(
        () => {
          this.#waiting.delete(parked);
          this.#buffer.push(delivery);
          this.#ready();
        },
        Math.min(afterMs, MAX_TIMER_MS),
      ),
    };
    this.#waiting.add(parked);
  }

  /** Keeps one read under way while there is room; the last one waits until the source has seen all settled. */
  #fill(): void {
    if (this.#reading || this.#exhausted || this.#closed || this.#open >= this.#window) return;
    this.#reading = true;
    this.#source.next().then(
      result => {
        this.#reading = false;
        if (this.#closed) return;
        if (result.done) {
          this.#exhausted = true;
        } else {
          this.#read++;
          this.#open++;
          this.#buffer.push(new Replayed(result.value, this.#clock.now(), this));
          this.#ready();
        }
        if (this.#exhausted && this.#open === 0) this.#finish();
        else this.#fill();
      },
      error => {
        this.#reading = false;
        this.close(toFailure(error));
      },
    );
  }

  #finish(): void {
    this.#closed = true;
    this.#resolve();
    this.#ready();
  }
}

/** A delivery of a replay. Its age counts from the replay on, and so do its tries. */
export class Replayed implements Delivery {
  readonly offset: number;
  readonly appendedAt: number;
  readonly alert: Alert;
  attempt = 1;
  #settled = false;
  readonly #inner: Delivery;
  readonly #replay: Replay;

  constructor(inner: Delivery, now: number, replay: Replay) {
    this.offset = inner.offset;
    this.appendedAt = now;
    this.alert = inner.alert;
    this.#inner = inner;
    this.#replay = replay;
  }

  ack(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#inner.ack();
    this.#replay.settled('done');
  }

  retry(afterMs: number): void {
    if (this.#settled) return;
    this.attempt++;
    this.#replay.again(this, afterMs);
  }

  async bury(error: Error): Promise<void> {
    if (this.#settled) return;
    this.#settled = true;
    try {
      await this.#inner.bury(error);
    } catch (problem) {
      this.#settled = false;
      throw problem;
    }
    this.#replay.settled('failed');
  }
}
