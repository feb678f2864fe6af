/** Reads alerts out of the log for the API: the newest ones that match, or those to come. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { Entry } from '../../spool/contract.ts';
import type { Backend } from '../backend.ts';
import { type AlertQuery, isWanted, MAX_BYTES } from './query.ts';

/** A page of entries as JSON texts. */
export interface HistoryPage {
  /** Oldest first. */
  items: string[];
  /** Pass it as `before` for the page of older ones; undefined when there are none. */
  before: number | undefined;
  /** Offset of the first item; undefined when there is none. */
  first: number | undefined;
}

// One call reads no more than this; the answer then says where to go on.
const MOST_READ = 100_000;
const FIRST_STEP = 256;
const LONGEST_STEP = 8192;
// Entries out of memory come without a turn of the event loop: others have to get one now and then.
const READS_PER_TURN = 500;

/** An entry as the API shows it; the alert's own JSON goes in as it is. */
export function toEntryJson(entry: Entry): string {
  return `{"offset":${entry.offset},"appendedAt":${entry.appendedAt},"alert":${entry.alert.json}}`;
}

/**
 * Looks at the end of the log: one that cannot be read is not to be taken for an empty one.
 * @throws SpoolFaultError when the log is on a server that cannot be reached
 */
export async function expectReadable(backend: Backend, signal: AbortSignal): Promise<void> {
  const { nextOffset } = backend.status().spool;
  for await (const _ of backend.entries({ fromOffset: nextOffset }, signal)) return;
}

/**
 * The newest entries that match, at most `limit`. Reads the log backwards in growing steps.
 * @param toText what is kept of an entry
 */
export async function readNewest(
  backend: Backend,
  query: AlertQuery,
  limit: number,
  signal: AbortSignal,
  toText: (entry: Entry) => string = toEntryJson,
): Promise<HistoryPage> {
  const { firstOffset, nextOffset } = backend.status().spool;
  let end = Math.min(query.before ?? nextOffset, nextOffset);
  let step = FIRST_STEP;
  let read = 0;
  const found = new Newest(limit);
  while (end > firstOffset && !found.full && read < MOST_READ && !signal.aborted) {
    const from = Math.max(firstOffset, end - step);
    const block = new Newest(limit - found.size, found.bytes);
    let reachedSince = false;
    for await (const entry of backend.entries({ fromOffset: from }, signal)) {
      if (entry.offset >= end) break;
      if (++read % READS_PER_TURN === 0) await setImmediate();
      if (query.since !== undefined && entry.appendedAt < query.since) reachedSince = true;
      else if (
        (query.until === undefined || entry.appendedAt <= query.until) &&
        isWanted(entry.alert, query)
      ) {
        block.push(entry.offset, toText(entry));
      }
    }
    found.putBefore(block);
    if (reachedSince && !found.full) return { items: found.items, before: undefined, first: found.oldest };
    end = from;
    step = Math.min(step * 2, LONGEST_STEP);
  }
  const before = found.full ? found.oldest! : end;
  return { items: found.items, before: before > firstOffset ? before : undefined, first: found.oldest };
}

/** Keeps the last entries pushed, within a number and a number of bytes. */
class Newest {
  readonly #limit: number;
  #entries: { offset: number; json: string }[] = [];
  #full = false;
  bytes: number;

  constructor(limit: number, bytes = 0) {
    this.#limit = limit;
    this.bytes = bytes;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Whether older ones would find no room. */
  get full(): boolean {
    return this.#full;
  }

  get items(): string[] {
    return this.#entries.map(({ json }) => json);
  }

  get oldest(): number | undefined {
    return this.#entries[0]?.offset;
  }

  push(offset: number, json: string): void {
    this.#entries.push({ offset, json });
    this.bytes += json.length;
    while (this.#entries.length > this.#limit || (this.bytes > MAX_BYTES && this.#entries.length > 1)) {
      this.bytes -= this.#entries.shift()!.json.length;
      this.#full = true;
    }
    if (this.#entries.length === this.#limit) this.#full = true;
  }

  /** Puts older ones, gathered with the room that was left, in front. */
  putBefore(older: Newest): void {
    this.#entries = older.#entries.concat(this.#entries);
    this.bytes = older.bytes;
    this.#full ||= older.#full;
  }
}

/**
 * Writes entries as lines of JSON while they come, at the reader's pace, until the signal aborts. Starts with `since`
 * or, without it, with the newest `limit` ones (none when absent).
 */
export async function follow(
  backend: Backend,
  query: AlertQuery,
  out: Writable,
  signal: AbortSignal,
): Promise<void> {
  let fromOffset: number | undefined;
  if (query.since === undefined) {
    fromOffset = backend.status().spool.nextOffset;
    if (query.limit !== undefined) {
      // Only where they begin: they are read again, at the reader's pace, and not held for it.
      const newest = { ...query, before: fromOffset };
      const { first } = await readNewest(backend, newest, query.limit, signal, () => '');
      fromOffset = first ?? fromOffset;
    }
  }
  let read = 0;
  for await (const entry of backend.entries({ fromOffset, since: query.since, follow: true }, signal)) {
    if (signal.aborted) return;
    if (++read % READS_PER_TURN === 0) await setImmediate();
    if (isWanted(entry.alert, query)) await writeLine(out, toEntryJson(entry), signal);
  }
}

async function writeLine(out: Writable, line: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || out.write(`${line}\n`)) return;
  await once(out, 'drain', { signal }).catch(error => {
    if (!signal.aborted) throw error;
  });
}
