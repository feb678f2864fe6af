/**
 * How much one output sends at once. As TCP does with its congestion window, it begins with little and goes by the answers:
 * a far side that takes one request after the other would else get more than it can answer within the time of a try, and
 * then all that was given up once more; and one that takes only so many at once would refuse most of them. Pure: time
 * comes in.
 */

import type { FailureReason } from '../errors.ts';

/** What is known of a try when it ends. */
export interface Ended {
  /** On the monotonic clock, in milliseconds. */
  readonly startedAt: number;
  /** Its alerts. */
  readonly deliveries: { readonly length: number };
  /** Whether as many were under way with it, from its start, as might be. */
  readonly fills: boolean;
}

export interface CongestionLimits {
  /** Most tries at once. */
  concurrency: number;
  /** Most alerts in one of them. */
  batchItems: number;
  timeoutMs: number;
}

/** Tries at once to begin with. Batches begin full: some are objects that people count. */
const FIRST_TRIES = 4;
/** An answer within this part of a try's time is quick: there is room for more. */
const QUICK = 1 / 4;
/** Among others, so is one that takes at most so many times as long as the fastest: they do not wait for each other. */
const LIKE_FASTEST = 1.5;
/** From this part on there is hardly any room left. */
const SLOW = 1 / 2;
/** What slow answers add, as a part of what others do: nothing would never find out that the far side takes more by now. */
const SLOW_GROWTH = 1 / 32;
/** What an answer that is not quick adds to the batches, as a part of them. */
const BATCH_GROWTH = 1 / 16;

/**
 * Halves with a try that failed, batches with the second in a row that got no answer. Grows with the answers to tries that
 * it had no more room for: twofold with as many quick ones as there may be tries at once, by a single try with as many
 * others.
 */
export class CongestionWindow {
  readonly #limits: CongestionLimits;
  /** Whole numbers of them count. */
  #concurrency: number;
  #batchItems: number;
  /** Alerts in the last try that got no answer in time; 0 once as many were taken. */
  #timedOutItems = 0;
  #fastestMs = Number.POSITIVE_INFINITY;
  /** When it was last made smaller: tries from before that say nothing new. */
  #smallerSince = Number.NEGATIVE_INFINITY;
  /** When the newest of the tries began that were answered quickly. */
  #quickSince = Number.NEGATIVE_INFINITY;

  constructor(limits: CongestionLimits) {
    this.#limits = limits;
    this.#concurrency = Math.min(FIRST_TRIES, limits.concurrency);
    this.#batchItems = limits.batchItems;
  }

  /** Most tries at once, at least one. */
  get concurrency(): number {
    return Math.floor(this.#concurrency);
  }

  /** Most alerts in one try, at least one. */
  get batchItems(): number {
    return Math.floor(this.#batchItems);
  }

  /** Most alerts on their way at once. */
  get size(): number {
    return this.concurrency * this.batchItems;
  }

  /** A try failed in a way that may pass. */
  failed({ startedAt, deliveries }: Ended, reason: FailureReason, now: number): void {
    // What began later was answered quickly: it is about this try, and not that the far side has too many.
    if (startedAt < this.#smallerSince || startedAt < this.#quickSince) return;
    this.#smallerSince = now;
    this.#concurrency = Math.max(1, this.concurrency / 2);
    // Who counts requests is not helped by more of them.
    if (reason !== 'timeout') return;
    const items = Math.min(deliveries.length, this.batchItems);
    // Once may pass, and a file or object that goes again as it was takes the place of what had been stored of it.
    if (this.#timedOutItems > 0) this.#batchItems = Math.max(1, items / 2);
    this.#timedOutItems = items;
  }

  /** A try was accepted. */
  accepted({ startedAt, deliveries, fills }: Ended, now: number): void {
    const tookMs = now - startedAt;
    const { concurrency, batchItems, timeoutMs } = this.#limits;
    if (tookMs < this.#fastestMs) this.#fastestMs = tookMs;
    const isLikeFastest = fills && this.#concurrency >= 2 && tookMs < this.#fastestMs * LIKE_FASTEST;
    const isQuick = tookMs < timeoutMs * QUICK || isLikeFastest;
    if (isQuick && startedAt > this.#quickSince) this.#quickSince = startedAt;
    if (deliveries.length >= Math.min(this.#timedOutItems, this.batchItems)) this.#timedOutItems = 0;
    const growth = tookMs < timeoutMs * SLOW ? 1 : SLOW_GROWTH;
    if (fills && this.#concurrency < concurrency) {
      const more = isQuick ? 1 : growth / this.concurrency;
      this.#concurrency = Math.min(concurrency, this.#concurrency + more);
    }
    if (this.#batchItems < batchItems && deliveries.length >= this.batchItems) {
      const more = isQuick ? this.#batchItems : this.#batchItems * BATCH_GROWTH * growth;
      this.#batchItems = Math.min(batchItems, this.#batchItems + more);
    }
  }
}
