/** A replay as the worker sees it: alerts of another source, of which only a few are held at a time. */
import type { Alert } from '../contract.ts';
import type { Delivery } from '../spool/contract.ts';
import { timerMs } from '../timer.ts';
import { toFailure } from './failure.ts';

/** An alert that is sent once more, to be settled exactly once by ack or bury. */
export interface Replayable {
  /** Its place in the log, or the number of its dead letter. */
  readonly offset: number;
  readonly alert: Alert;
  /** Since when it is on its way again, in milliseconds since the epoch: its age counts from the replay on. */
  readonly startedAt: number;
  /** Number of its next try, 1 for the first; whoever tries it counts on. */
  attempt: number;
  /** It is a dead letter already, and stays one when it is given up again. */
  readonly isLetter?: boolean;
  ack(): void;
  /** Given up. Resolves when that is taken note of. */
  bury(error: Error): Promise<void>;
}

export interface ReplayOptions {
  source: AsyncIterable<Replayable>;
  /** Most alerts held and not settled. */
  window: number;
  /** Told when something can be taken. */
  ready(): void;
}

/** Reads ahead by a window, keeps what waits for a retry itself, and resolves `finished` when all is settled. */
export class Replay {
  readonly finished: Promise<void>;
  /** Read and not settled. */
  #open = 0;
  #reading = false;
  #exhausted = false;
  #closed = false;
  readonly #window: number;
  readonly #ready: () => void;
  readonly #source: AsyncIterator<Replayable>;
  readonly #buffer: Delivery[] = [];
  readonly #waiting = new Set<{ delivery: Delivery; timer: NodeJS.Timeout }>();
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(options: ReplayOptions) {
    this.#source = options.source[Symbol.asyncIterator]();
    this.#window = options.window;
    this.#ready = options.ready;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether something can be taken. */
  get available(): boolean {
    return this.#buffer.length > 0;
  }

  /** Keeps one read under way while there is room; the last one waits until the source has seen all settled. */
  readAhead(): void {
    if (this.#reading || this.#exhausted || this.#closed || this.#open >= this.#window) return;
    this.#reading = true;
    this.#source.next().then(
      result => {
        this.#reading = false;
        if (this.#closed) return;
        if (result.done) {
          this.#exhausted = true;
        } else {
          this.#open++;
          this.#buffer.push(new Replayed(result.value, this));
          this.#ready();
        }
        if (this.#exhausted && this.#open === 0) this.#finish();
        else this.readAhead();
      },
      error => {
        this.#reading = false;
        this.close(toFailure(error));
      },
    );
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

  settled(): void {
    this.#open--;
    if (this.#closed) return;
    if (this.#exhausted && this.#open === 0) this.#finish();
    else this.readAhead();
  }

  again(delivery: Delivery, afterMs: number): void {
    if (this.#closed) return;
    const parked = {
      delivery,
      timer: setTimeout(() => {
        this.#waiting.delete(parked);
        this.#buffer.push(delivery);
        this.#ready();
      }, timerMs(afterMs)),
    };
    this.#waiting.add(parked);
  }

  #finish(): void {
    this.#closed = true;
    this.#resolve();
    this.#ready();
  }
}

/** An alert of a replay as a delivery: what waits for a retry stays with the replay. */
export class Replayed implements Delivery {
  readonly offset: number;
  readonly appendedAt: number;
  readonly alert: Alert;
  readonly isLetter: boolean;
  #settled = false;
  readonly #inner: Replayable;
  readonly #replay: Replay;

  constructor(inner: Replayable, replay: Replay) {
    this.offset = inner.offset;
    this.appendedAt = inner.startedAt;
    this.alert = inner.alert;
    this.isLetter = inner.isLetter ?? false;
    this.#inner = inner;
    this.#replay = replay;
  }

  get attempt(): number {
    return this.#inner.attempt;
  }

  ack(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#inner.ack();
    this.#replay.settled();
  }

  retry(afterMs: number): void {
    if (this.#settled) return;
    this.#inner.attempt++;
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
    this.#replay.settled();
  }
}
