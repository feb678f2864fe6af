/** Reads a log from end to end beside its consumers, a piece at a time. */
import type { Entry, ReadRange } from './contract.ts';
import type { LogReader } from './log-reader.ts';

/**
 * Steps back of the clock by less than this are evened out, in milliseconds. No segment of a log spans more: so a step
 * that is not evened out shows at the beginnings of the segments.
 */
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
  let offset = Math.max(range.fromOffset ?? 0, reader.firstOffset);
  for (;;) {
    // An entry beyond `until` says nothing of those behind it: the clock may have been set back.
    offset = reader.seek(offset, since, until);
    if (offset >= end) return;
    const chunk = await reader.load(offset);
    for (const entry of chunk.entries) {
      if (entry.offset < offset) continue;
      if (entry.offset >= end) return;
      if (entry.appendedAt >= since && entry.appendedAt <= until) yield entry;
    }
    offset = chunk.next;
  }
}
