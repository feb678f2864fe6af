/** Reads a log from end to end beside its consumers, a piece at a time. */
import type { Entry, ReadRange } from './contract.ts';
import type { LogReader } from './log-reader.ts';

/** Times of appending never go back by less than this: beyond `until` by more than it there is nothing left to find. */
export const CLOCK_STEP_MS = 3_600_000;

/** The time to write down for an entry: small steps back of the clock are evened out. */
export function stampAfter(last: number, now: number): number {
  return now < last && last - now < CLOCK_STEP_MS ? last : Math.floor(now);
}

/** The entries of the range that are in the log now; those trimmed meanwhile are left out. */
export function readLog(reader: LogReader, range: ReadRange): AsyncIterable<Entry> {
  return entries(reader, range, reader.nextOffset);
}

async function* entries(reader: LogReader, range: ReadRange, end: number): AsyncGenerator<Entry> {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = range;
  let offset = Math.max(range.fromOffset ?? 0, reader.firstOffset, reader.offsetAt(since));
  while (offset < end) {
    const chunk = await reader.load(offset);
    for (const entry of chunk.entries) {
      if (entry.offset < offset) continue;
      if (entry.offset >= end || entry.appendedAt > until + CLOCK_STEP_MS) return;
      if (entry.appendedAt >= since && entry.appendedAt <= until) yield entry;
    }
    offset = chunk.next;
  }
}
