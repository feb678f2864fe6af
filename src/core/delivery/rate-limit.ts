import type { RateLimiter } from '../spool/contract.ts';
import type { OutputWorkerOptions } from './options.ts';

/** A token bucket: so many alerts a second on average, so many at once. Pure: time comes in. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** Starts full. `burst` is at least 1, or nothing would ever pass. */
  constructor(limit: { perSecond: number; burst: number }, now: number) {
    this.#perMs = limit.perSecond / 1000;
    this.#burst = Math.max(1, limit.burst);
    this.#tokens = this.#burst;
    this.#at = now;
  }

  /** How many alerts may go now. */
  available(now: number): number {
    // A clock that was set back adds nothing.
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    // Sums of fractions fall short of whole numbers by a rounding error.
    return Math.floor(this.#tokens + 1e-9);
  }

  /** Takes tokens that `available` has shown. */
  take(count: number): void {
    this.#tokens -= count;
  }

  /** Milliseconds until one more alert may go; 0 when one may go now. */
  waitMs(now: number): number {
    return this.available(now) >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }
}

/**
 * The limiter that an output's settings ask for, undefined for none.
 * @param ready called when one that is shared between processes has room again
 */
export function rateLimiterOf(
  { instance, clock, sharedLimit }: Pick<OutputWorkerOptions, 'instance' | 'clock' | 'sharedLimit'>,
  ready: () => void,
): RateLimiter | undefined {
  const { rateLimit } = instance.delivery;
  if (rateLimit.perSecond <= 0) return undefined;
  const shared = rateLimit.shared ? sharedLimit?.(ready) : undefined;
  return shared ?? new TokenBucket(rateLimit, clock.monotonic());
}
