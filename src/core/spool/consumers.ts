/** All cursors of a log and the consumers that work on them. */
import type { ClockJumps } from '../clock-jumps.ts';
import type { Clock, Logger } from '../contract.ts';
import { createLogLimit } from '../log-limit.ts';
import { type ConsumerHost, LogConsumer } from './consumer.ts';
import type { DeadLetters, Start } from './contract.ts';
import { Cursor, type CursorFile, fromRanges } from './cursor.ts';
import type { DropReport } from './drop-report.ts';
import type { LogReader } from './log-reader.ts';
import { Ranges } from './ranges.ts';
import { tellBack, tellRemoved } from './removed.ts';

/** What the consumers work with. */
export interface ConsumersOptions {
  reader: LogReader;
  deadLetters: DeadLetters;
  clock: Clock;
  jumps: ClockJumps;
  log: Logger;
  drops: DropReport;
  /** Told whenever a cursor moves, with the number of entries settled. */
  moved(settled: number): void;
  /** Cursors were lost: until the first `retain` every consumer without one starts at the beginning, so that no alert is. */
  fromBeginning: boolean;
  /** How long the cursor of a consumer that is not retained is kept, in milliseconds. */
  removedMs: number;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #host: ConsumerHost;
  readonly #cursors = new Map<string, Cursor>();
  /** The consumer that may move the cursor: the open one, or the last one until another opens. */
  readonly #owners = new Map<Cursor, LogConsumer>();
  readonly #open = new Map<string, LogConsumer>();
  /** What the log has dropped behind its beginning. */
  readonly #skipped = new Ranges();
  #fromBeginning: boolean;
  #closed = false;

  constructor(options: ConsumersOptions) {
    this.#options = options;
    this.#fromBeginning = options.fromBeginning;
    this.#host = {
      reader: options.reader,
      deadLetters: options.deadLetters,
      clock: options.clock,
      log: createLogLimit(options.log, options.clock),
      moved: settled => options.moved(settled),
      owns: (cursor, consumer) => !this.#closed && this.#owners.get(cursor) === consumer,
      dropped: cursor => this.#dropped(cursor, 1),
      isGone: offset => this.#isGone(offset),
      closed: consumer => this.#open.delete(consumer.name),
    };
  }

  /** All cursors. */
  values(): Iterable<Cursor> {
    return this.#cursors.values();
  }

  /** Takes over cursors that were written down. */
  restore(file: CursorFile): void {
    for (const [name, { next, pending, removedAt, dropped }] of file.cursors) {
      const cursor = new Cursor(name, next, fromRanges(pending));
      if (removedAt !== undefined) cursor.remove(removedAt, dropped);
      this.#cursors.set(name, cursor);
    }
  }

  /** Opens a consumer; tells whether its cursor is new. */
  open(name: string, start: Start): { consumer: LogConsumer; created: boolean } {
    if (this.#open.has(name)) throw new Error(`the consumer ${JSON.stringify(name)} is open already`);
    let cursor = this.#cursors.get(name);
    const created = cursor === undefined;
    if (!cursor) {
      const { reader } = this.#options;
      const atEnd = start === 'now' && !this.#fromBeginning;
      cursor = new Cursor(name, atEnd ? reader.nextOffset : reader.firstOffset);
      this.#cursors.set(name, cursor);
    }
    this.#loseGone(cursor);
    tellBack(this.#options.log, { output: name, dropped: cursor.droppedSinceRemoved });
    cursor.comeBack();
    const consumer = new LogConsumer(cursor, this.#host);
    this.#open.set(name, consumer);
    this.#owners.set(cursor, consumer);
    return { consumer, created };
  }

  /** Closes all others. Their cursors are kept for a while, should they come back. */
  retain(names: readonly string[]): void {
    const { clock, log, removedMs } = this.#options;
    const wanted = new Set(names);
    // Whoever comes from now on was not there when the cursors were lost.
    this.#fromBeginning = false;
    for (const [name, cursor] of this.#cursors) {
      if (wanted.has(name) || cursor.removedAt !== undefined) continue;
      this.#open.get(name)?.close();
      this.#loseGone(cursor);
      cursor.remove(clock.now());
      tellRemoved(log, { output: name, alerts: this.#depth(cursor), keptMs: removedMs });
    }
    this.forgetRemoved();
  }

  /** Lets go of the cursors that were kept for long enough; true when there were any. */
  forgetRemoved(): boolean {
    const { jumps, log, removedMs } = this.#options;
    const now = jumps.look();
    let isAny = false;
    for (const [name, cursor] of this.#cursors) {
      if (cursor.removedAt === undefined || now - jumps.adjusted(cursor.removedAt) < removedMs) continue;
      const alerts = this.#depth(cursor) + cursor.droppedSinceRemoved;
      this.#owners.delete(cursor);
      this.#cursors.delete(name);
      const level = alerts > 0 ? 'warn' : 'info';
      log[level]({ output: name, alerts }, 'the place of a removed output in the log is given up');
      isAny = true;
    }
    return isAny;
  }

  /** The oldest offset that an output has not settled; `end` when there is none. */
  lowest(end: number): number {
    let lowest = end;
    for (const cursor of this.#cursors.values()) {
      if (cursor.removedAt === undefined) lowest = Math.min(lowest, cursor.lowest);
    }
    return lowest;
  }

  /** The same, with those that may come back. */
  lowestKept(end: number): number {
    let lowest = end;
    for (const cursor of this.#cursors.values()) lowest = Math.min(lowest, cursor.lowest);
    return lowest;
  }

  /** How many of the offsets from..to-1 an output has not settled. */
  unsettled(from: number, to: number): number {
    let count = 0;
    for (let offset = from; offset < to; offset++) {
      for (const { next, pending } of this.#cursors.values()) {
        if (offset < next && pending.get(offset) === undefined) continue;
        count++;
        break;
      }
    }
    return count;
  }

  /** The oldest offset at or after `floor` that an output has not read; `end` when there is none. */
  lowestUnread(floor: number, end: number): number {
    let lowest = end;
    for (const { next, removedAt } of this.#cursors.values()) {
      if (removedAt === undefined && next >= floor && next < lowest) lowest = next;
    }
    return lowest;
  }

  /**
   * The log has lost what is before `first`, or of it what is at or behind `from`: who stands there is moved to `first`,
   * and what was in hands that are there no more is lost as well. Output → entries it lost, those that are removed among
   * them.
   */
  moveForward(first: number, from = 0): Map<string, number> {
    const lost = new Map<string, number>();
    if (from > 0) {
      this.#skipped.add(from, first);
      this.#skipped.dropBelow(this.#options.reader.firstOffset);
    }
    for (const cursor of this.#cursors.values()) {
      let count = this.#open.has(cursor.name) ? 0 : cursor.losePending(first, from);
      if (cursor.next < first) {
        const start = Math.max(cursor.next, from);
        count += first - start - this.#options.reader.missing(start, first);
        if (cursor.next >= from) cursor.next = first;
      }
      cursor.dropped += count;
      if (count > 0) lost.set(cursor.name, count);
    }
    return lost;
  }

  /** Lets every consumer that waits look again. */
  wake(): void {
    for (const consumer of this.#open.values()) consumer.wake();
  }

  /** What was in the hands of a consumer that is closed, and has left the log meanwhile, is lost. */
  #loseGone(cursor: Cursor): void {
    this.#lose(cursor, offset => this.#isGone(offset));
  }

  #lose(cursor: Cursor, isLost: (offset: number) => boolean): void {
    const lost = [...cursor.pending.keys()].filter(isLost);
    for (const offset of lost) cursor.pending.delete(offset);
    if (lost.length > 0) this.#dropped(cursor, lost.length);
  }

  #isGone(offset: number): boolean {
    return offset < this.#options.reader.firstOffset || this.#isSkipped(offset);
  }

  #isSkipped(offset: number): boolean {
    return this.#skipped.count(offset, offset + 1) > 0;
  }

  #dropped(cursor: Cursor, count: number): void {
    cursor.dropped += count;
    this.#options.drops.add(new Map([[cursor.name, count]]));
  }

  #depth({ next, pending }: Cursor): number {
    const { reader } = this.#options;
    return pending.size + reader.nextOffset - next - reader.missing(next, reader.nextOffset);
  }

  /** Closes all consumers; from here on nothing is settled. */
  close(): void {
    for (const consumer of [...this.#open.values()]) consumer.close();
    this.#closed = true;
    // The next start could not tell them from damage. What was at the beginning of the log, it counts.
    for (const cursor of this.#cursors.values()) this.#lose(cursor, offset => this.#isSkipped(offset));
  }
}
