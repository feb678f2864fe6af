/** A replay that outlives the worker it goes through: the next one takes over what is not settled. */
import type { Delivery } from './spool/contract.ts';

export class CarriedReplay implements AsyncIterable<Delivery> {
  readonly #source: AsyncIterator<Delivery>;
  readonly #total: number | undefined;
  /** Read and not settled. */
  readonly #open = new Set<Delivery>();
  #settled = 0;
  /** What is read next, which an earlier worker may be waiting for still. */
  #coming: Promise<IteratorResult<Delivery>> | undefined;
  /** Workers so far. */
  #workers = 0;

  /** @param total how many deliveries there are, when it is known */
  constructor(source: AsyncIterable<Delivery>, total: number | undefined) {
    this.#source = source[Symbol.asyncIterator]();
    this.#total = total;
  }

  /** How many are left, when it is known. */
  get left(): number | undefined {
    return this.#total === undefined ? undefined : this.#total - this.#settled;
  }

  /** For one worker at a time: what an earlier one left comes first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery> {
    const worker = ++this.#workers;
    yield* [...this.#open];
    for (;;) {
      // Not waited for: the source may wait for word of what that one has left.
      this.#coming ??= this.#source.next();
      const { done, value } = await this.#coming;
      if (worker !== this.#workers) return;
      this.#coming = undefined;
      if (done) return;
      const delivery = this.#track(value);
      this.#open.add(delivery);
      yield delivery;
    }
  }

  #track(inner: Delivery): Delivery {
    // Once: two workers may have had it.
    const settle = () => {
      const isFirst = this.#open.delete(delivery);
      if (isFirst) this.#settled++;
      return isFirst;
    };
    const { offset, appendedAt, alert, attempt } = inner;
    const delivery: Delivery = {
      offset,
      appendedAt,
      alert,
      attempt,
      ack: () => {
        if (settle()) inner.ack();
      },
      retry: (afterMs, error) => inner.retry(afterMs, error),
      bury: async error => {
        if (!this.#open.has(delivery)) return;
        await inner.bury(error);
        settle();
      },
    };
    return delivery;
  }
}
