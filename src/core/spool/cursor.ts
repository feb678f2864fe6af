/**
 * Where consumers stand, and the text that keeps it. A cursor is the first offset not handed out yet plus the
 * offsets below it that are not settled: everything else below is done with.
 */
import { crc32 } from 'node:zlib';
import { SlidingWindow } from '../sliding-window.ts';
import { type Range, toRanges } from './ranges.ts';

/** What is remembered of an entry that was handed out and not settled. */
export interface Unsettled {
  readonly attempt: number;
  /** Milliseconds since the epoch; undefined until the entry has been read again after a restart. */
  readonly appendedAt: number | undefined;
}

/** Where one consumer stands. */
export class Cursor {
  readonly name: string;
  /** First offset that has not been handed out. */
  next: number;
  /** Offsets below `next` that are not settled, ascending. */
  readonly pending = new SlidingWindow<Unsettled>();
  /** Entries dropped unread since the process started, or since its output was removed if that was before. */
  dropped = 0;
  #removed: { at: number; droppedBefore: number } | undefined;

  constructor(name: string, next: number, pending: Iterable<number> = []) {
    this.name = name;
    this.next = next;
    for (const offset of pending) this.pending.set(offset, { attempt: 0, appendedAt: undefined });
  }

  /** When its output was removed, in milliseconds since the epoch; undefined while it is there. */
  get removedAt(): number | undefined {
    return this.#removed?.at;
  }

  /** Entries dropped unread since its output was removed. */
  get droppedSinceRemoved(): number {
    return this.#removed ? this.dropped - this.#removed.droppedBefore : 0;
  }

  /**
   * Its output is not configured any more.
   * @param at since when, in milliseconds since the epoch
   * @param dropped entries that were dropped since, before this process started
   */
  remove(at: number, dropped = 0): void {
    this.#removed = { at, droppedBefore: this.dropped };
    this.dropped += dropped;
  }

  /** Its output is there again. */
  comeBack(): void {
    this.#removed = undefined;
  }

  /** Lets go of unsettled entries below `first`, none below `from`, which are lost; how many there were. */
  losePending(first: number, from = 0): number {
    const before = this.pending.size;
    for (const offset of this.pending.keys()) {
      if (offset >= first) break;
      if (offset >= from) this.pending.delete(offset);
    }
    return before - this.pending.size;
  }

  /** The oldest offset that is not settled. */
  get lowest(): number {
    return this.pending.lowest ?? this.next;
  }
}

/** A cursor as it is written down. */
export interface CursorRecord {
  next: number;
  /** Unsettled offsets below `next`. */
  pending: readonly Range[];
  /** When its output was removed, in milliseconds since the epoch. */
  removedAt?: number;
  /** Entries dropped unread since then. */
  dropped?: number;
}

/** All cursors at one moment. */
export interface CursorFile {
  /** The offset that the next alert gets: no offset below may be given again. */
  nextOffset: number;
  /** By consumer name. */
  cursors: ReadonlyMap<string, CursorRecord>;
  /** Offsets that are known to hold nothing. */
  missing: readonly Range[];
}

const MAGIC = 'tiercel-cursors';
const VERSION = 1;
/** No consumer has more in its hands; a file that says so is not believed. */
const MAX_PENDING = 10_000_000;
/** Written down, the newest ones: the rest costs wrong counts only. */
const MAX_MISSING_RANGES = 100;

/** Cursors → text: a line with format, version and checksum, then JSON. */
export function serialiseCursors(
  nextOffset: number,
  cursors: Iterable<Cursor>,
  missing: readonly Range[] = [],
): string {
  const records: Record<string, CursorRecord> = {};
  for (const cursor of cursors) {
    Object.defineProperty(records, cursor.name, {
      value: {
        next: cursor.next,
        pending: toRanges(cursor.pending.keys()),
        // Left out while there is none.
        removedAt: cursor.removedAt,
        dropped: cursor.droppedSinceRemoved || undefined,
      },
      enumerable: true,
    });
  }
  const body = JSON.stringify({
    nextOffset,
    cursors: records,
    missing: missing.length > 0 ? missing.slice(-MAX_MISSING_RANGES) : undefined,
  });
  return `${MAGIC} ${VERSION} ${crc32(body)}\n${body}\n`;
}

/** Text → cursors; undefined when it is torn, altered, or of another version. Never throws. */
export function parseCursors(text: string): CursorFile | undefined {
  const match = /^tiercel-cursors (\d+) (\d+)\n(.*)\n$/s.exec(text);
  if (!match) return undefined;
  const [, version, checksum, body] = match;
  if (Number(version) !== VERSION || Number(checksum) !== crc32(body!)) return undefined;
  try {
    return toCursorFile(JSON.parse(body!));
  } catch {
    return undefined;
  }
}

function toCursorFile(value: unknown): CursorFile | undefined {
  const { nextOffset, cursors, missing = [] } = value as Record<keyof CursorFile, unknown>;
  if (!isOffset(nextOffset) || typeof cursors !== 'object' || cursors === null) return undefined;
  if (countIn(missing, nextOffset) === undefined) return undefined;
  const records = new Map<string, CursorRecord>();
  for (const [name, record] of Object.entries(cursors)) {
    if (!isCursorRecord(record)) return undefined;
    records.set(name, record);
  }
  return { nextOffset, cursors: records, missing: missing as Range[] };
}

function isCursorRecord(value: unknown): value is CursorRecord {
  const { next, pending, removedAt, dropped } = value as Record<keyof CursorRecord, unknown>;
  if (!isOffset(next)) return false;
  if (removedAt !== undefined && typeof removedAt !== 'number') return false;
  if (dropped !== undefined && !isOffset(dropped)) return false;
  return (countIn(pending, next) ?? Number.POSITIVE_INFINITY) <= MAX_PENDING;
}

/** How many numbers there are in ascending ranges below `end`; undefined when they are none. */
function countIn(ranges: unknown, end: number): number | undefined {
  if (!Array.isArray(ranges)) return undefined;
  let floor = 0;
  let count = 0;
  for (const range of ranges) {
    if (!Array.isArray(range) || !isOffset(range[0]) || !isOffset(range[1])) return undefined;
    if (range[0] < floor || range[1] <= range[0] || range[1] > end) return undefined;
    floor = range[1];
    count += range[1] - range[0];
  }
  return count;
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The numbers of ranges, one by one. */
export function* fromRanges(ranges: Iterable<Range>): Generator<number> {
  for (const [from, to] of ranges) for (let offset = from; offset < to; offset++) yield offset;
}
