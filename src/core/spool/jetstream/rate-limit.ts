/**
 * A rate limit that holds over all replicas: a token bucket in a key-value bucket of the server. Each replica leases
 * tokens a few at a time, so that an alert costs no question of its own.
 */
import type { KV } from '@nats-io/kv';
import type { Clock } from '../../contract.ts';
import type { RateLimiter } from '../contract.ts';

/** What is in the bucket, as it stands in the store. Times are milliseconds since the epoch. */
export interface BucketState {
  tokens: number;
  at: number;
}

export interface Limit {
  perSecond: number;
  burst: number;
}

/** Tokens leased at once: what the limit gives in this time. */
const LEASE_MS = 200;
const AGAIN_MS = 100;
/** Tries of one lease against other replicas that lease at the same time. */
const MOST_TRIES = 5;
/** Replicas' clocks differ by less. A state from further ahead would hold the limit up until its time has come. */
const CLOCKS_APART_MS = 5_000;

/**
 * Takes up to `want` whole tokens. A clock that is a little behind that of the last replica adds nothing; when it seems
 * far behind, the last replica's was wrong, and its time counts as now.
 * @returns how many, and the new state; none when there is less than one
 */
export function lease(
  state: BucketState | undefined,
  want: number,
  { perSecond, burst }: Limit,
  now: number,
): { taken: number; next: BucketState } {
  const most = Math.max(1, burst);
  const before = state ?? { tokens: most, at: now };
  const since = before.at > now + CLOCKS_APART_MS ? now : before.at;
  const at = Math.max(since, now);
  const tokens = Math.min(most, before.tokens + ((at - since) / 1000) * perSecond);
  const taken = Math.max(0, Math.min(want, Math.floor(tokens + 1e-9)));
  return { taken, next: { tokens: tokens - taken, at } };
}

export interface SharedLimitOptions {
  key: string;
  limit: Limit;
  clock: Clock;
  /** The store; undefined while it cannot be reached. */
  store(): Promise<KV> | undefined;
  /** There are tokens now. */
  ready(): void;
}

export class SharedLimit implements RateLimiter {
  readonly #options: SharedLimitOptions;
  #tokens = 0;
  /** Nothing is leased before, on the monotonic clock. */
  #nextAt = 0;
  #leasing = false;

  constructor(options: SharedLimitOptions) {
    this.#options = options;
  }

  available(now: number): number {
    if (this.#tokens < 1) this.#lease(now);
    return this.#tokens;
  }

  take(count: number): void {
    this.#tokens -= count;
  }

  waitMs(now: number): number {
    if (this.#tokens >= 1) return 0;
    return Math.max(this.#leasing ? LEASE_MS : 1, this.#nextAt - now);
  }

  #lease(now: number): void {
    if (this.#leasing || now < this.#nextAt) return;
    const store = this.#options.store();
    if (!store) {
      this.#nextAt = now + AGAIN_MS;
      return;
    }
    this.#leasing = true;
    store
      .then(kv => this.#takeFrom(kv))
      .catch(() => 0)
      .then(taken => {
        this.#leasing = false;
        this.#tokens += taken;
        const { limit, clock, ready } = this.#options;
        // Asked again when the limit can have given another one.
        this.#nextAt =
          clock.monotonic() +
          (taken > 0 ? 0 : Math.min(1000, Math.max(AGAIN_MS / 2, 1000 / limit.perSecond)));
        if (taken > 0) ready();
      });
  }

  async #takeFrom(kv: KV): Promise<number> {
    const { key, limit, clock } = this.#options;
    const want = Math.max(1, Math.floor((limit.perSecond * LEASE_MS) / 1000));
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const entry = await kv.get(key);
      const state = entry && entry.operation === 'PUT' ? toState(entry.string()) : undefined;
      const { taken, next } = lease(state, want, limit, clock.now());
      if (taken === 0) return 0;
      try {
        const text = JSON.stringify(next);
        if (entry && entry.operation === 'PUT') await kv.update(key, text, entry.revision);
        else await kv.create(key, text);
        return taken;
      } catch {
        // Another replica was quicker.
      }
    }
    return 0;
  }
}

function toState(text: string): BucketState | undefined {
  try {
    const { tokens, at } = JSON.parse(text) as Partial<BucketState>;
    return typeof tokens === 'number' && typeof at === 'number' ? { tokens, at } : undefined;
  } catch {
    return undefined;
  }
}
