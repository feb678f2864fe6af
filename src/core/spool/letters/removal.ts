/** Removes the letters that fit a filter, a piece at a time: all at once they would stop everything else. */
import type { DeadLetterFilter } from '../contract.ts';
import type { LetterStore } from './store.ts';

/** Ids that are looked up at once. */
const PAGE = 1_000;

export class LetterRemoval {
  readonly #store: LetterStore;
  readonly #filter: DeadLetterFilter;
  readonly #pages: Iterator<number[], undefined>;
  readonly #lastId: number;
  #page: readonly number[] = [];
  /** Letters that are gone. */
  removed = 0;

  /** Letters that are added from now on stay. */
  constructor(store: LetterStore, filter: DeadLetterFilter) {
    this.#store = store;
    this.#filter = filter;
    this.#lastId = store.lastId;
    this.#pages = pagesOf(store, filter, this.#lastId + 1);
  }

  /** Whether all letters that there are go. */
  get isOfAll(): boolean {
    return (
      this.#store.lastId === this.#lastId && Object.values(this.#filter).every(value => value === undefined)
    );
  }

  /** Does a piece; false when nothing is left to do. */
  step(): boolean {
    const limit = this.#filter.limit ?? Number.POSITIVE_INFINITY;
    if (this.removed >= limit) return false;
    if (this.#page.length === 0) {
      const next = this.#pages.next();
      if (next.done) return false;
      this.#page = next.value;
    }
    const isEnough = (removed: number) => this.removed + removed >= limit;
    const { seen, removed } = this.#store.remove(this.#page, this.#filter, isEnough);
    this.#page = this.#page.slice(seen);
    this.removed += removed;
    return true;
  }
}

/** Ids of letters that may fit, newest first. Output and rule are looked at again when a letter is removed. */
function pagesOf(store: LetterStore, filter: DeadLetterFilter, end: number): Iterator<number[], undefined> {
  const before = Math.min(filter.before ?? end, end);
  if (filter.since !== undefined) return since(store, { ...filter, since: filter.since }, before);
  return filter.ids ? named(filter.ids, before) : downFrom(store, before, filter.output);
}

function* named(ids: readonly number[], before: number): Generator<number[], undefined> {
  const sorted = [...new Set(ids)].filter(id => id < before).sort((a, b) => b - a);
  for (let at = 0; at < sorted.length; at += PAGE) yield sorted.slice(at, at + PAGE);
}

function* since(
  store: LetterStore,
  filter: DeadLetterFilter & { since: number },
  before: number,
): Generator<number[], undefined> {
  const wanted = filter.ids && new Set(filter.ids);
  let last = { at: Number.MAX_SAFE_INTEGER, id: 0 };
  for (;;) {
    const page = store.buriedSince(filter.since, last, PAGE);
    if (page.length === 0) return;
    last = page.at(-1)!;
    yield page.map(({ id }) => id).filter(id => id < before && (wanted?.has(id) ?? true));
  }
}

function* downFrom(store: LetterStore, from: number, output?: string): Generator<number[], undefined> {
  let before = from;
  for (;;) {
    const page = store.idsBefore(before, PAGE, output);
    if (page.length === 0) return;
    before = page.at(-1)!;
    yield page;
  }
}
