/** The little that a consumer needs of a log, whatever it is kept in. */
import type { Entry } from './contract.ts';

/** A piece of the log: all entries there are from..next-1. */
export interface Chunk {
  readonly from: number;
  /** Ascending; offsets may be missing. */
  readonly entries: readonly Entry[];
  readonly next: number;
}

export interface LogReader {
  readonly firstOffset: number;
  /** The offset that the next alert gets. */
  readonly nextOffset: number;
  /** The entry when it is in memory. */
  peek(offset: number): Entry | undefined;
  /** A piece of the log that covers `offset`. Rejects when the store cannot be read at present. */
  load(offset: number): Promise<Chunk>;
  /** How many of the offsets from..to-1 are known to hold no entry. */
  missing(from: number, to: number): number;
  /** About when the entry was appended, in milliseconds since the epoch; not before. */
  timeAt(offset: number): number | undefined;
  /**
   * An offset at or after `offset`, and not behind the first entry from there on that was appended from `since` to `until`
   * (milliseconds since the epoch); the end of the log when there is none.
   */
  seek(offset: number, since: number, until: number): number;
}

/** The first entry of the piece at or after `offset`. */
export function entryFrom(chunk: Chunk, offset: number): Entry | undefined {
  const { entries } = chunk;
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return entries[low];
}
