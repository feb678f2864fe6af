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
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Whether the breaker waits for its outcome. */
  readonly probe: boolean;
  /** Of the alerts' JSON. */
  readonly bytes: number;
  /** Its place among the output's tries. */
  number = 0;
  /** Whether no other might start beside it. */
  fills = false;
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
    let bytes = 0;
    for (const { alert } of deliveries) bytes += alert.byteLength;
    this.bytes = bytes;
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
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param expired called once for a try that is over its time; it counts until it is deleted */
  constructor(timeoutMs: number, clock: Clock, expired: (one: Try) => void) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#expired = expired;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Bytes of JSON of all alerts in them. */
  get bytes(): number {
    return this.#bytes;
  }

  [Symbol.iterator](): Iterator<Try> {
    return this.#open.values();
  }

  add(one: Try): void {
    one.number = this.#started++;
    this.#bytes += one.bytes;
    this.#open.set(one.number, one);
    this.#timer ??= setTimeout(this.#sweep, this.#timeoutMs);
  }

  delete(one: Try): void {
    if (!this.#open.delete(one.number)) return;
    this.#bytes -= one.bytes;
    // The timer is left to fire: setting one for each try would cost more than a needless sweep.
  }

  /** Ends the watch. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    const expired: Try[] = [];
    for (const one of this.#open.values()) {
      const left = one.startedAt + this.#timeoutMs - now;
      if (left > 0) {
        this.#timer = setTimeout(this.#sweep, Math.ceil(left));
        break;
      }
      // Those that were aborted have been told of.
      if (!one.aborted) expired.push(one);
    }
    // Told last of all: it starts other tries, and they would set a timer of their own.
    for (const one of expired) this.#expired(one);
  };
}
