/** Brings what was written to the device, one call at a time, and answers those who wait for it. */

/** Who waits for the device. */
export interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

export class SyncLoop {
  readonly #sync: () => Promise<void>;
  readonly #told: (error: unknown) => void;
  #waiting: Waiter[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param sync brings everything written before the call to the device
   * @param told hears how each sync went; `undefined` is well
   */
  constructor(sync: () => Promise<void>, told: (error: unknown) => void) {
    this.#sync = sync;
    this.#told = told;
  }

  /** Answers when everything written so far is on the device. */
  wait(waiter: Waiter): void {
    this.#waiting.push(waiter);
    void this.run();
  }

  /** Syncs within the time given. */
  soon(delayMs: number): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => void this.run(), delayMs);
    this.#timer.unref();
  }

  /** Syncs now, or once more if a sync is under way. Never rejects. */
  run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running) {
      // A no-op waiter makes the loop go round again.
      this.#waiting.push({ resolve: () => {}, reject: () => {} });
      return this.#running;
    }
    this.#running = this.#loop();
    return this.#running;
  }

  async #loop(): Promise<void> {
    do {
      const waiting = this.#waiting;
      this.#waiting = [];
      try {
        await this.#sync();
        this.#told(undefined);
        for (const waiter of waiting) waiter.resolve();
      } catch (error) {
        this.#told(error);
        for (const waiter of waiting) waiter.reject(error);
      }
    } while (this.#waiting.length > 0);
    // Not when the promise is told: those who were answered may ask again before.
    this.#running = undefined;
  }
}
