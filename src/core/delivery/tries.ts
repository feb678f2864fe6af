/** The tries of one output that are under way, and the one timer that ends those that take too long. */
import type { Clock, SendContext } from '../contract.ts';
import type { Delivery } from '../spool/contract.ts';

/** One call of an output's `send`. */
export class Try implements SendContext {
  readonly deliveries: readonly Delivery[];
  readonly attempt: number;
  readonly startedAt: number;
  /** Whether the breaker waits for its outcome. */
  readonly probe: boolean;
  /** Its outcome is known (or given up): whatever comes later is ignored. */
  ended = false;
  readonly #controller = new AbortController();

  constructor(deliveries: readonly Delivery[], attempt: number, startedAt: number, probe: boolean) {
    this.deliveries = deliveries;
    this.attempt = attempt;
    this.startedAt = startedAt;
    this.probe = probe;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }
}

/** Tries in the order of their start, which is the order of their deadlines: all have the same timeout. */
export class Tries {
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #expired: (one: Try) => void;
  readonly #open = new Set<Try>();
  #timer: NodeJS.Timeout | undefined;

  /** @param expired called for a try that is over its time; it is no longer counted then */
  constructor(timeoutMs: number, clock: Clock, expired: (one: Try) => void) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#expired = expired;
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Try> {
    return this.#open.values();
  }

  add(one: Try): void {
    this.#open.add(one);
    this.#timer ??= setTimeout(this.#sweep, this.#timeoutMs);
  }

  delete(one: Try): void {
    this.#open.delete(one);
    // The timer is left to fire: setting one for each try would cost more than a needless sweep.
  }

  /** Ends the watch. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const one of this.#open) {
      const left = one.startedAt + this.#timeoutMs - now;
      if (left > 0) {
        this.#timer = setTimeout(this.#sweep, left);
        return;
      }
      this.#open.delete(one);
      this.#expired(one);
    }
  };
}
