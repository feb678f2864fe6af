/** Keeps the dead letters within their limits and gives back the room of those that are gone, a piece at a time. */
import type { ClockJumps } from '../../clock-jumps.ts';
import type { LetterStore } from './store.ts';

export interface LetterLimits {
  /** 0: no limit. */
  maxCount: number;
  /** Bytes that the letters may take on disk; 0: no limit. One letter may always stay. */
  maxBytes: number;
  /** 0: no limit. */
  maxAgeMs: number;
}

export interface LetterRetentionOptions extends LetterLimits {
  store: LetterStore;
  jumps: ClockJumps;
  /** So many letters, the oldest ones, went because of a limit. */
  dropped(letters: number): void;
  failed(error: Error): void;
}

const AGE_INTERVAL_MS = 60_000;
/** Oldest letters that are looked up at once. */
const PAGE = 1_000;
/** Others have the processor for so long between two pieces of giving room back. */
const REST_MS = 20;

export class LetterRetention {
  readonly #options: LetterRetentionOptions;
  #agedAt = Number.NEGATIVE_INFINITY;
  #isBusy = false;
  #isStopped = false;

  constructor(options: LetterRetentionOptions) {
    this.#options = options;
  }

  /** Does a piece now, and what is left by and by. Never throws. */
  enforce(): void {
    if (!this.#isBusy) this.#work();
  }

  /** To be called before the store is closed. */
  stop(): void {
    this.#isStopped = true;
  }

  readonly #work = (): void => {
    this.#isBusy = false;
    if (this.#isStopped) return;
    const { store, failed } = this.#options;
    try {
      if (this.#drop()) {
        this.#isBusy = true;
        setImmediate(this.#work);
      } else if (store.space.canGive && store.space.give()) {
        this.#isBusy = true;
        setTimeout(this.#work, REST_MS).unref();
      }
    } catch (error) {
      // It is tried again with the next letter.
      failed(error as Error);
    }
  };

  /** Drops some of the letters that are too many or too old; true when there are more of them. */
  #drop(): boolean {
    const { store, dropped } = this.#options;
    const { ids, isEnough } = this.#next();
    if (ids.length === 0) return false;
    const { removed } = store.remove(ids, {}, isEnough);
    if (removed > 0) dropped(removed);
    return this.#next().ids.length > 0;
  }

  /** The letters that are to go next. */
  #next(): { ids: readonly number[]; isEnough?: () => boolean } {
    const { store, maxCount, maxBytes, maxAgeMs, jumps } = this.#options;
    const count = store.count();
    if (maxCount > 0 && count > maxCount) return { ids: store.oldest(Math.min(PAGE, count - maxCount)) };
    const isOver = () => store.space.bytes > maxBytes;
    if (maxBytes > 0 && count > 1 && isOver()) {
      return { ids: store.oldest(Math.min(PAGE, count - 1)), isEnough: () => !isOver() };
    }
    const now = jumps.look();
    if (maxAgeMs === 0 || Math.abs(now - this.#agedAt) < AGE_INTERVAL_MS) return { ids: [] };
    // Those that only a jump of the clock makes old come before all others, and end a page.
    const old = store
      .buriedBefore(now - maxAgeMs, PAGE)
      .filter(({ at }) => jumps.adjusted(at) < now - maxAgeMs);
    const ids = old.map(({ id }) => id);
    if (ids.length === 0) this.#agedAt = now;
    return { ids };
  }
}
