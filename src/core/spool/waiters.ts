/** Pulls that wait until there may be something to hand out. */
export class Waiters {
  #resolves: (() => void)[] = [];
  /** Signals whose abort wakes them. To listen anew for each wait would cost more than the wait. */
  readonly #heeded = new WeakSet<AbortSignal>();

  get size(): number {
    return this.#resolves.length;
  }

  /** Resolves with the next wake, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#resolves.push(resolve);
      if (this.#heeded.has(signal)) return;
      this.#heeded.add(signal);
      signal.addEventListener('abort', this.wake, { once: true });
    });
  }

  readonly wake = (): void => {
    if (this.#resolves.length === 0) return;
    const resolves = this.#resolves;
    this.#resolves = [];
    for (const resolve of resolves) resolve();
  };
}
