/** A replay that outlives the worker it goes through: the next one takes over what is not settled. */
import type { ReplayProgress } from './delivery/contract.ts';
import type { Replayable } from './delivery/replay.ts';

/** The alerts of a replay for one worker after the other; each counts as settled once, whoever settles it. */
export class CarriedReplay implements AsyncIterable<Replayable> {
  readonly #source: AsyncIterator<Replayable>;
  readonly #total: number | undefined;
  /** Read and not settled. */
  readonly #open = new Set<Replayable>();
  #done = 0;
  #failed = 0;
  /** What is read next, which an earlier worker may be waiting for still. */
  #coming: Promise<IteratorResult<Replayable>> | undefined;
  /** Workers so far. */
  #workers = 0;

  /** @param total how many alerts there are, when it is known */
  constructor(source: AsyncIterable<Replayable>, total: number | undefined) {
    this.#source = source[Symbol.asyncIterator]();
    this.#total = total;
  }

  /** Over all workers. */
  get progress(): ReplayProgress {
    const [done, failed] = [this.#done, this.#failed];
    return { total: this.#total ?? done + failed + this.#open.size, done, failed };
  }

  /** For one worker at a time: what an earlier one left comes first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Replayable> {
    const worker = ++this.#workers;
    yield* [...this.#open];
    for (;;) {
      // Not waited for: the source may wait for word of what that one has left.
      this.#coming ??= this.#source.next();
      const { done, value } = await this.#coming;
      if (worker !== this.#workers) return;
      this.#coming = undefined;
      if (done) return;
      const carried = this.#track(value);
      this.#open.add(carried);
      yield carried;
    }
  }

  #track(inner: Replayable): Replayable {
    const { offset, alert, startedAt, attempt, isLetter = false } = inner;
    const carried: Replayable = {
      offset,
      alert,
      startedAt,
      attempt,
      isLetter,
      ack: () => {
        // Once: two workers may have had it.
        if (!this.#open.delete(carried)) return;
        this.#done++;
        inner.ack();
      },
      bury: async error => {
        if (!this.#open.has(carried)) return;
        await inner.bury(error);
        if (this.#open.delete(carried)) this.#failed++;
      },
    };
    return carried;
  }
}
