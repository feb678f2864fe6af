/** Gathers alerts into what one send takes. Pure: time comes in. */
import type { BatchLimits } from '../contract.ts';
import type { Delivery } from '../spool/contract.ts';

const ONE: BatchLimits = { items: 1, bytes: Number.POSITIVE_INFINITY, waitMs: 0 };

/** What was taken and is in no try yet, in its order. */
export class Batcher {
  readonly #limits: BatchLimits;
  readonly #gathered: Delivery[] = [];
  #bytes = 0;
  #since = 0;

  /** Without limits, every alert goes alone. */
  constructor(limits: BatchLimits | undefined) {
    this.#limits = limits ?? ONE;
  }

  get size(): number {
    return this.#gathered.length;
  }

  /** Of the JSON of all that is gathered. */
  get bytes(): number {
    return this.#bytes;
  }

  add(delivery: Delivery, now: number): void {
    if (this.#gathered.length === 0) this.#since = now;
    this.#gathered.push(delivery);
    this.#bytes += delivery.alert.byteLength;
  }

  /**
   * Milliseconds until what is gathered has to go; 0: it goes now; undefined: there is nothing.
   * @param most alerts that may go together now
   */
  dueInMs(now: number, most: number): number | undefined {
    if (this.#gathered.length === 0) return undefined;
    if (this.#gathered.length >= Math.min(most, this.#limits.items)) return 0;
    if (this.#bytes >= this.#limits.bytes) return 0;
    return Math.max(0, this.#since + this.#limits.waitMs - now);
  }

  /** Takes the next batch out: at most `max` alerts, within the limits, one alert at least. */
  shift(max: number, now: number): Delivery[] {
    const most = Math.min(max, this.#limits.items, this.#gathered.length);
    let count = 0;
    for (let bytes = 0; count < most; count++) {
      const { length } = this.#gathered[count]!.alert.bytes;
      bytes += length;
      if (count > 0 && bytes > this.#limits.bytes) break;
      this.#bytes -= length;
    }
    const batch = this.#gathered.splice(0, count);
    this.#since = now;
    return batch;
  }
}
