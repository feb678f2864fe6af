/** Dead letters page by page: a full box does not fit into memory. */
import type { DeadLetter, DeadLetterFilter, DeadLetters } from '../contract.ts';

const DEFAULT_LIMIT = 100;
const DEFAULT_BYTES = 16 * 2 ** 20;

/** Letters that `allLetters` reads at once, and their bytes: several replays may be under way. */
const STEP = 500;
const STEP_BYTES = 2 ** 20;

/** A page in the making, newest first. It has one letter at least: one that is larger than a page must not end them. */
export class LetterPage {
  readonly letters: DeadLetter[] = [];
  /** Letters and bytes that are still to come. */
  limit: number;
  bytes: number;

  constructor({ limit = DEFAULT_LIMIT, bytes = DEFAULT_BYTES }: Pick<DeadLetterFilter, 'limit' | 'bytes'>) {
    this.limit = Math.max(0, Math.floor(limit));
    this.bytes = bytes;
  }

  get isFull(): boolean {
    return this.limit === 0 || this.bytes <= 0;
  }

  add(letter: DeadLetter): void {
    this.letters.push(letter);
    this.limit--;
    this.bytes -= letter.alert.byteLength;
  }
}

/** Letters that fit, newest first. */
export async function* allLetters(
  box: Pick<DeadLetters, 'list'>,
  filter: DeadLetterFilter,
): AsyncGenerator<DeadLetter> {
  let { before } = filter;
  let left = filter.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    const page = await box.list({ ...filter, before, limit: Math.min(STEP, left), bytes: STEP_BYTES });
    yield* page;
    left -= page.length;
    before = page.at(-1)?.id;
    if (before === undefined) return;
  }
}
