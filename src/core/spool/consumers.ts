/** All cursors of a log and the consumers that work on them. */
import type { Clock, Logger } from '../contract.ts';
import { type ConsumerHost, LogConsumer } from './consumer.ts';
import type { DeadLetters, Start } from './contract.ts';
import { Cursor, type CursorFile, fromRanges } from './cursor.ts';
import type { LogReader } from './log-reader.ts';

/** What the consumers work with. */
export interface ConsumersOptions {
  reader: LogReader;
  deadLetters: DeadLetters;
  clock: Clock;
  log: Logger;
  /** Told whenever a cursor moves, with the number of entries settled. */
  moved(settled: number): void;
  /** Cursors were lost: every consumer without one starts at the beginning, so that no alert is. */
  fromBeginning: boolean;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #host: ConsumerHost;
  readonly #cursors = new Map<string, Cursor>();
  /** The consumer that may move the cursor: the open one, or the last one until another opens. */
  readonly #owners = new Map<Cursor, LogConsumer>();
  readonly #open = new Map<string, LogConsumer>();
  #closed = false;

  constructor(options: ConsumersOptions) {
    this.#options = options;
    this.#host = {
      reader: options.reader,
      deadLetters: options.deadLetters,
      clock: options.clock,
      log: options.log,
      moved: settled => options.moved(settled),
      owns: (cursor, consumer) => !this.#closed && this.#owners.get(cursor) === consumer,
      closed: consumer => this.#open.delete(consumer.name),
    };
  }

  /** All cursors. */
  values(): Iterable<Cursor> {
    return this.#cursors.values();
  }

  /** Takes over cursors that were written down. */
  restore(file: CursorFile): void {
    for (const [name, { next, pending }] of file.cursors) {
      this.#cursors.set(name, new Cursor(name, next, fromRanges(pending)));
    }
  }

  /** Opens a consumer; tells whether its cursor is new. */
  open(name: string, start: Start): { consumer: LogConsumer; created: boolean } {
    if (this.#open.has(name)) throw new Error(`the consumer ${JSON.stringify(name)} is open already`);
    let cursor = this.#cursors.get(name);
    const created = cursor === undefined;
    if (!cursor) {
      const { reader, fromBeginning } = this.#options;
      const atEnd = start === 'now' && !fromBeginning;
      cursor = new Cursor(name, atEnd ? reader.nextOffset : reader.firstOffset);
      this.#cursors.set(name, cursor);
    }
    const consumer = new LogConsumer(cursor, this.#host);
    this.#open.set(name, consumer);
    this.#owners.set(cursor, consumer);
    return { consumer, created };
  }

  /** Forgets the cursors of all others. */
  retain(names: readonly string[]): void {
    const kept = new Set(names);
    for (const [name, cursor] of this.#cursors) {
      if (kept.has(name)) continue;
      this.#open.get(name)?.close();
      this.#owners.delete(cursor);
      this.#cursors.delete(name);
    }
  }

  /** The oldest offset that somebody has not settled; `end` when there is none. */
  lowest(end: number): number {
    let lowest = end;
    for (const cursor of this.#cursors.values()) lowest = Math.min(lowest, cursor.lowest);
    return lowest;
  }

  /** The oldest offset at or after `floor` that somebody has not read; `end` when there is none. */
  lowestUnread(floor: number, end: number): number {
    let lowest = end;
    for (const { next } of this.#cursors.values()) if (next >= floor && next < lowest) lowest = next;
    return lowest;
  }

  /** The log begins at `first` now: who has not read that far is moved there. Name → entries it lost. */
  moveForward(first: number): Map<string, number> {
    const lost = new Map<string, number>();
    for (const cursor of this.#cursors.values()) {
      if (cursor.next >= first) continue;
      const count = first - cursor.next - this.#options.reader.missing(cursor.next, first);
      cursor.next = first;
      cursor.dropped += count;
      if (count > 0) lost.set(cursor.name, count);
    }
    return lost;
  }

  /** Lets every consumer that waits look again. */
  wake(): void {
    for (const consumer of this.#open.values()) consumer.wake();
  }

  /** Closes all consumers; from here on nothing is settled. */
  close(): void {
    for (const consumer of [...this.#open.values()]) consumer.close();
    this.#closed = true;
  }
}
