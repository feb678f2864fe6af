/** When cursors are written down: soon after they moved, but not for every step. */

/** After kill -9 at most what was settled within this time, or this many entries, comes again. */
const DELAY_MS = 200;
const SETTLED = 2000;
/** Not more often than this, however fast the cursors move: a new file and its renaming cost as much as ten deliveries. */
const MIN_INTERVAL_MS = 100;

export class CheckpointTimer {
  readonly #save: () => void;
  #timer: NodeJS.Timeout | undefined;
  #settled = 0;
  #savedAt = Number.NEGATIVE_INFINITY;

  /** @param save does not throw */
  constructor(save: () => void) {
    this.#save = save;
  }

  /** Cursors moved; so many entries were settled. */
  moved(settled: number): void {
    this.#settled += settled;
    if (this.#settled >= SETTLED && performance.now() - this.#savedAt >= MIN_INTERVAL_MS) {
      this.#run();
    } else if (!this.#timer) {
      this.#timer = setTimeout(() => this.#run(), DELAY_MS);
      this.#timer.unref();
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    this.stop();
    this.#settled = 0;
    this.#savedAt = performance.now();
    this.#save();
  }
}
