/** The tries of one output that are under way, and the one timer that ends those that take too long. */
import type { AbortListener, Cancellation, Clock, SendContext } from '../contract.ts';
import { SlidingWindow } from '../sliding-window.ts';
import type { Delivery } from '../spool/contract.ts';

/**
 * One call of an output's `send`. It is its own cancellation: an AbortController and a listener for each alert would cost
 * more than the rest of a try, and keep what they belong to from an early collection.
 */
export class Try implements SendContext, Cancellation {
  readonly deliveries: readonly Delivery[];
  readonly attempt: number;
  readonly startedAt: number;
  /** Whether the breaker waits for its outcome. */
  readonly probe: boolean;
  /** Its place among the output's tries. */
  number = 0;
  /** Its outcome is known (or given up): whatever comes later is ignored. */
  ended = false;
  aborted = false;
  reason: Error | undefined;
  #listeners: AbortListener[] | undefined;

  constructor(deliveries: readonly Delivery[], attempt: number, startedAt: number, probe: boolean) {
    this.deliveries = deliveries;
    this.attempt = attempt;
    this.startedAt = startedAt;
    this.probe = probe;
  }

  get signal(): Cancellation {
    return this;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) {
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
    }
  }

  addEventListener(_type: 'abort', listener: AbortListener): void {
    if (this.aborted) return;
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: AbortListener): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#listeners!.splice(at, 1);
  }
}

/** Tries in the order of their start, which is the order of their deadlines: all have the same timeout. */
export class Tries {
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #expired: (one: Try) => void;
  readonly #open = new SlidingWindow<Try>();
  #started = 0;
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
    one.number = this.#started++;
    this.#open.set(one.number, one);
    this.#timer ??= setTimeout(this.#sweep, this.#timeoutMs);
  }

  delete(one: Try): void {
    this.#open.delete(one.number);
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
    for (const one of this.#open.values()) {
      const left = one.startedAt + this.#timeoutMs - now;
      if (left > 0) {
        this.#timer = setTimeout(this.#sweep, left);
        return;
      }
      this.#open.delete(one.number);
      this.#expired(one);
    }
  };
}
