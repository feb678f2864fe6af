/** The rate limits that all replicas share: one bucket on the server for those of all outputs. */
import type { KV } from '@nats-io/kv';
import type { Clock } from '../../contract.ts';
import type { RateLimiter } from '../contract.ts';
import type { Link, Session } from './link.ts';
import { toToken } from './names.ts';
import { SharedLimit } from './rate-limit.ts';

export interface SharedLimitsOptions {
  link: Link;
  clock: Clock;
  openBucket(session: Session): Promise<KV>;
}

export class SharedLimits {
  readonly #options: SharedLimitsOptions;
  #bucket: Promise<KV> | undefined;

  constructor(options: SharedLimitsOptions) {
    this.#options = options;
  }

  /** @param ready told when alerts may go again */
  limit(output: string, limit: { perSecond: number; burst: number }, ready: () => void): RateLimiter {
    return new SharedLimit({
      // Keys of a bucket know no percent sign.
      key: toToken(output).replaceAll('%', '_'),
      limit,
      clock: this.#options.clock,
      ready,
      store: () => this.#open(),
    });
  }

  down(): void {
    this.#bucket = undefined;
  }

  #open(): Promise<KV> | undefined {
    const { link, openBucket } = this.#options;
    if (!link.session) return undefined;
    this.#bucket ??= openBucket(link.session).catch(error => {
      this.#bucket = undefined;
      throw error;
    });
    return this.#bucket;
  }
}
