/** The consumer of the memory and the disk driver: hands entries out and keeps its cursor. */

import type { Clock } from '../contract.ts';
import type { LogLimit } from '../log-limit.ts';
import { timerMs } from '../timer.ts';
import type { Consumer, ConsumerStats, DeadLetters, Delivery, Entry } from './contract.ts';
import type { Cursor } from './cursor.ts';
import { Handout, type Settler } from './handout.ts';
import { letterOf } from './letters/letter.ts';
import { type Chunk, entryFrom, type LogReader } from './log-reader.ts';
import { RetryHeap } from './retry-heap.ts';
import { Waiters } from './waiters.ts';

/** How long a reader waits when the store could not be read. */
const READ_AGAIN_MS = 1_000;

/** What a consumer works with. */
export interface ConsumerHost {
  readonly reader: LogReader;
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly log: LogLimit;
  /** Told of each entry that is settled or handed out: the cursor has moved. */
  moved(settled: number): void;
  /** Whether the cursor still belongs to this consumer; late acks count as long as it does. */
  owns(cursor: Cursor, consumer: LogConsumer): boolean;
  /** Told of an entry that was unsettled and has left the log. */
  dropped(cursor: Cursor): void;
  /** Whether the log had the entry and has dropped it. */
  isGone(offset: number): boolean;
  /** Told when the consumer closes. */
  closed(consumer: LogConsumer): void;
}

export class LogConsumer implements Consumer, Settler {
  readonly name: string;
  readonly #cursor: Cursor;
  readonly #host: ConsumerHost;
  readonly #retries = new RetryHeap<Handout>();
  /** Offsets that an earlier consumer left unsettled, ascending; handed out before everything new. */
  readonly #leftover: number[];
  #leftoverAt = 0;
  #inFlight = 0;
  #chunk: Chunk | undefined;
  #loading: Promise<void> | undefined;
  #readAgainAt = 0;
  readonly #waiters = new Waiters();
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(cursor: Cursor, host: ConsumerHost) {
    this.name = cursor.name;
    this.#cursor = cursor;
    this.#host = host;
    this.#leftover = [...cursor.pending.keys()];
  }

  async pull(max: number, signal: AbortSignal, maxBytes?: number): Promise<Delivery[]> {
    while (!this.#closed && !signal.aborted && max >= 1) {
      const deliveries = this.take(max, undefined, maxBytes);
      if (deliveries.length > 0) return deliveries;
      if (this.#canLoad()) await this.#load();
      else await this.#wait(signal);
    }
    return [];
  }

  take(max: number, only?: 'new', maxBytes = Number.POSITIVE_INFINITY): Delivery[] {
    const deliveries: Delivery[] = [];
    if (this.#closed) return deliveries;
    let bytes = 0;
    if (only === undefined && this.#retries.size > 0) bytes = this.#takeRetries(max, maxBytes, deliveries);
    while (deliveries.length < max && bytes < maxBytes) {
      const entry = this.#nextAtHand();
      if (!entry) break;
      bytes += entry.alert.byteLength;
      deliveries.push(this.#handOut(entry, 1 + (this.#cursor.pending.get(entry.offset)?.attempt ?? 0)));
    }
    if (deliveries.length > 0) this.#host.moved(0);
    // Who wants new ones only does not wait for them: they are read for the next time.
    else if (only === 'new' && this.#canLoad()) void this.#load();
    return deliveries;
  }

  hasten(which?: 'next'): void {
    if (which === 'next') this.#retries.setNextDue(performance.now());
    else this.#retries.setAllDue(0);
    if (this.#retries.size > 0) this.wake();
  }

  stats(): ConsumerStats {
    const { reader } = this.#host;
    const { next, pending, dropped } = this.#cursor;
    const unread = Math.max(0, reader.nextOffset - next - reader.missing(next, reader.nextOffset));
    const depth = pending.size + unread;
    return {
      depth,
      inFlight: this.#inFlight,
      waiting: this.#retries.size,
      oldestAt: depth === 0 ? undefined : this.#oldestAt(),
      dropped,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#chunk = undefined;
    // What stays behind must not hold the alerts in memory.
    for (const [offset, { attempt, appendedAt }] of this.#cursor.pending.entries()) {
      this.#cursor.pending.set(offset, { attempt, appendedAt });
    }
    this.wake();
    this.#host.closed(this);
  }

  /** Lets waiting pulls look again: there is something new. */
  wake(): void {
    this.#waiters.wake();
  }

  acked(handout: Handout): void {
    if (!this.#host.owns(this.#cursor, this)) return;
    this.#inFlight--;
    this.#cursor.pending.delete(handout.offset);
    this.#host.moved(1);
  }

  retried(handout: Handout, afterMs: number): void {
    if (this.#closed) return;
    this.#inFlight--;
    const waitMs = afterMs > 0 ? Math.min(afterMs, Number.MAX_SAFE_INTEGER) : 0;
    handout.due = performance.now() + waitMs;
    this.#retries.push(handout);
    if (this.#waiters.size > 0) this.#setTimer();
  }

  async buried(handout: Handout, error: Error): Promise<void> {
    const { deadLetters, clock, owns } = this.#host;
    if (!owns(this.#cursor, this)) return;
    await deadLetters.add(letterOf(this.name, handout, error, clock));
    this.acked(handout);
  }

  /** How many bytes they come to. */
  #takeRetries(max: number, maxBytes: number, deliveries: Delivery[]): number {
    const now = performance.now();
    let bytes = 0;
    while (deliveries.length < max && bytes < maxBytes) {
      const top = this.#retries.top;
      if (!top || top.due > now) break;
      this.#retries.pop();
      bytes += top.alert.byteLength;
      deliveries.push(this.#handOut(top, top.attempt + 1));
    }
    return bytes;
  }

  #handOut(entry: Entry, attempt: number): Handout {
    const handout = new Handout(entry, attempt, this);
    this.#cursor.pending.set(entry.offset, handout);
    this.#inFlight++;
    return handout;
  }

  /** The next entry that can be had without the disk; moves past it. */
  #nextAtHand(): Entry | undefined {
    while (this.#leftoverAt < this.#leftover.length) {
      const offset = this.#leftover[this.#leftoverAt]!;
      const found = this.#find(offset);
      if (found === undefined && !this.#isCovered(offset)) return undefined;
      this.#leftoverAt++;
      if (found?.offset === offset) return found;
      // The log does not have it any more.
      if (this.#cursor.pending.delete(offset)) {
        if (this.#host.isGone(offset)) this.#host.dropped(this.#cursor);
        this.#host.moved(1);
      }
    }
    for (;;) {
      const cursor = this.#cursor;
      const found = this.#find(cursor.next);
      if (found) {
        cursor.next = found.offset + 1;
        return found;
      }
      if (!this.#chunk || !this.#isCovered(cursor.next)) return undefined;
      cursor.next = this.#chunk.next;
    }
  }

  /** The entry at `offset`, or the first one behind it when the piece of the log at hand covers it. */
  #find(offset: number): Entry | undefined {
    const inMemory = this.#host.reader.peek(offset);
    if (inMemory) return inMemory;
    return this.#chunk && this.#isCovered(offset) ? entryFrom(this.#chunk, offset) : undefined;
  }

  #isCovered(offset: number): boolean {
    return this.#chunk !== undefined && this.#chunk.from <= offset && offset < this.#chunk.next;
  }

  /** The offset wanted next, when there is one. */
  #wanted(): number | undefined {
    if (this.#leftoverAt < this.#leftover.length) return this.#leftover[this.#leftoverAt];
    return this.#cursor.next < this.#host.reader.nextOffset ? this.#cursor.next : undefined;
  }

  #isBehind(): boolean {
    return this.#wanted() !== undefined;
  }

  #canLoad(): boolean {
    return this.#isBehind() && performance.now() >= this.#readAgainAt;
  }

  #load(): Promise<void> {
    this.#loading ??= this.#loadWanted().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadWanted(): Promise<void> {
    const offset = this.#wanted();
    if (offset === undefined) return;
    try {
      this.#chunk = await this.#host.reader.load(offset);
      if (this.#closed) this.#chunk = undefined;
    } catch (error) {
      this.#readAgainAt = performance.now() + READ_AGAIN_MS;
      this.#host.log.warn(
        this.name,
        { output: this.name, offset, error: (error as Error).message },
        'the spool could not be read; it will be tried again',
      );
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    this.#setTimer();
    return this.#waiters.wait(signal);
  }

  /** Wakes the waiting pulls when the next retry is due. */
  #setTimer(): void {
    const readAt = this.#isBehind() ? this.#readAgainAt : Number.POSITIVE_INFINITY;
    const due = Math.min(this.#retries.top?.due ?? Number.POSITIVE_INFINITY, readAt);
    if (due === this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    if (due === Number.POSITIVE_INFINITY) return;
    const waitMs = timerMs(due - performance.now());
    this.#timer = setTimeout(() => {
      this.#timerDue = Number.POSITIVE_INFINITY;
      this.wake();
    }, waitMs);
  }

  #oldestAt(): number | undefined {
    const { next, pending } = this.#cursor;
    const { lowest } = pending;
    if (lowest !== undefined) return pending.get(lowest)!.appendedAt ?? this.#host.reader.timeAt(lowest);
    return this.#find(next)?.appendedAt ?? this.#host.reader.timeAt(next);
  }
}
