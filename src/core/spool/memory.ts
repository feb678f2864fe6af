/** The memory driver: a ring of bounded size. What it holds is gone when the process ends. */
import type { Alert } from '../alert/alert.ts';
import { ClockJumps } from '../clock-jumps.ts';
import type { SpoolConfig } from '../config/types.ts';
import type { Clock, Logger } from '../contract.ts';
import { Consumers } from './consumers.ts';
import {
  AlertTooLargeError,
  type Consumer,
  type Entry,
  type OwnDeadLetters,
  type ReadRange,
  type Spool,
  SpoolFullError,
  type SpoolStats,
  type Start,
} from './contract.ts';
import { DropReport } from './drop-report.ts';
import { readLog, stampAfter } from './history.ts';
import type { Chunk, LogReader } from './log-reader.ts';
import { memoryCost, Tail } from './tail.ts';

/** Most entries in one piece that is handed to a reader. */
const CHUNK_ENTRIES = 256;
const TRIM_INTERVAL_MS = 30_000;

interface Size {
  /** Of the alerts' JSON. */
  bytes: number;
  /** In memory. */
  cost: number;
}

/** What a memory spool works with. */
export interface MemorySpoolDeps {
  clock: Clock;
  log: Logger;
  deadLetters: OwnDeadLetters;
}

export class MemorySpool implements Spool, LogReader {
  readonly deadLetters: OwnDeadLetters;
  readonly #config: SpoolConfig;
  readonly #clock: Clock;
  readonly #jumps: ClockJumps;
  readonly #drops: DropReport;
  readonly #consumers: Consumers;
  readonly #ring = new Tail(1);
  readonly #timer: NodeJS.Timeout;
  /** Bytes of alert JSON in the ring. */
  #bytes = 0;
  /** Bytes of the entries below `#settledTo`, all of them settled. */
  #settledBytes = 0;
  #settledTo = 1;
  #lastAt = Number.NEGATIVE_INFINITY;
  /** What the last append wanted if it was refused as the log is full. */
  #refused: Size | undefined;
  #closed = false;

  constructor(config: SpoolConfig, deps: MemorySpoolDeps) {
    this.#config = config;
    this.#clock = deps.clock;
    this.#jumps = new ClockJumps(deps.clock);
    this.#drops = new DropReport(deps.clock, deps.log);
    this.deadLetters = deps.deadLetters;
    this.#consumers = new Consumers({
      reader: this,
      deadLetters: deps.deadLetters,
      clock: deps.clock,
      jumps: this.#jumps,
      log: deps.log,
      drops: this.#drops,
      moved: () => {},
      fromBeginning: false,
      removedMs: config.removedMs,
    });
    this.#timer = setInterval(() => void this.trim(), TRIM_INTERVAL_MS);
    this.#timer.unref();
  }

  get firstOffset(): number {
    return this.#ring.first;
  }

  get nextOffset(): number {
    return this.#ring.next;
  }

  append(alerts: readonly Alert[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the spool is closed'));
    const { maxBytes } = this.#config;
    if (alerts.some(alert => alert.byteLength > maxBytes)) {
      return Promise.reject(new AlertTooLargeError(`an alert of more than ${maxBytes} bytes`));
    }
    const appendedAt = stampAfter(this.#lastAt, this.#clock.now());
    const entries: Entry[] = alerts.map((alert, index) => ({
      offset: this.nextOffset + index,
      appendedAt,
      alert,
    }));
    const size = sizeOf(entries);
    this.#refused = this.#makeRoom(size) ? undefined : size;
    if (this.#refused) {
      return Promise.reject(new SpoolFullError('the spool is full: outputs have not taken what it holds'));
    }
    for (const entry of entries) {
      this.#ring.push(entry);
      this.#bytes += entry.alert.byteLength;
    }
    this.#lastAt = appendedAt;
    this.#trim();
    this.#consumers.wake();
    return Promise.resolve();
  }

  consumer(name: string, start: Start = 'now'): Consumer {
    if (this.#closed) throw new Error('the spool is closed');
    return this.#consumers.open(name, start).consumer;
  }

  retain(names: readonly string[]): void {
    this.#consumers.retain(names);
  }

  read(range: ReadRange = {}): AsyncIterable<Entry> {
    return readLog(this, range);
  }

  stats(): SpoolStats {
    const first = this.#ring.get(this.firstOffset);
    return {
      entries: this.nextOffset - this.firstOffset,
      bytes: this.#bytes,
      memoryBytes: this.#ring.bytes,
      firstOffset: this.firstOffset,
      nextOffset: this.nextOffset,
      oldestAt: first?.appendedAt,
      setAside: 0,
      fault: undefined,
      full: this.#refused !== undefined && !this.#makeRoom(this.#refused),
      deadLetterFault: this.deadLetters.fault,
      deadLetterBytes: this.deadLetters.bytes,
    };
  }

  trim(): Promise<void> {
    this.#consumers.forgetRemoved();
    this.#trim();
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    clearInterval(this.#timer);
    this.#consumers.close();
    this.#drops.close();
    this.deadLetters.close();
    return Promise.resolve();
  }

  peek(offset: number): Entry | undefined {
    return this.#ring.get(offset);
  }

  load(offset: number): Promise<Chunk> {
    const entries = this.#ring.from(offset, CHUNK_ENTRIES);
    const next = (entries.at(-1)?.offset ?? Math.max(offset, this.nextOffset) - 1) + 1;
    return Promise.resolve({ from: offset, entries, next });
  }

  missing(): number {
    return 0;
  }

  timeAt(offset: number): number | undefined {
    return this.#ring.get(offset)?.appendedAt;
  }

  seek(offset: number): number {
    return offset;
  }

  /** Frees what entries of that size need; false when there is no room and nothing may be dropped. */
  #makeRoom({ bytes, cost }: Size): boolean {
    const { maxBytes, memoryBytes, overflow } = this.#config;
    const isOver = () => this.#bytes + bytes > maxBytes || this.#ring.bytes + cost > memoryBytes;
    if (!isOver()) return true;
    const lowest = this.#consumers.lowest(this.nextOffset);
    while (isOver() && this.firstOffset < lowest) this.#shift();
    if (overflow === 'drop-oldest') {
      while (isOver() && this.firstOffset < this.nextOffset) this.#shift();
    }
    this.#drops.add(this.#consumers.moveForward(this.firstOffset));
    return !isOver() || overflow === 'drop-oldest';
  }

  #trim(): void {
    const { maxAgeMs, historyBytes, historyAgeMs } = this.#config;
    const now = this.#jumps.look();
    const ageOf = ({ appendedAt }: Entry) => now - this.#jumps.adjusted(appendedAt);
    this.#countSettled();
    while (this.firstOffset < this.#settledTo) {
      const age = ageOf(this.#ring.get(this.firstOffset)!);
      if (this.#settledBytes <= historyBytes && age <= historyAgeMs) break;
      this.#shift();
    }
    if (maxAgeMs > 0) {
      for (;;) {
        const entry = this.#ring.get(this.firstOffset);
        if (!entry || ageOf(entry) <= maxAgeMs) break;
        this.#shift();
      }
      this.#drops.add(this.#consumers.moveForward(this.firstOffset));
    }
    this.#drops.tell();
  }

  #countSettled(): void {
    const lowest = this.#consumers.lowestKept(this.nextOffset);
    if (lowest < this.#settledTo) {
      this.#settledTo = this.firstOffset;
      this.#settledBytes = 0;
    }
    while (this.#settledTo < lowest) {
      this.#settledBytes += this.#ring.get(this.#settledTo++)?.alert.byteLength ?? 0;
    }
  }

  #shift(): void {
    const entry = this.#ring.shift();
    if (!entry) return;
    this.#bytes -= entry.alert.byteLength;
    if (entry.offset < this.#settledTo) this.#settledBytes -= entry.alert.byteLength;
    else this.#settledTo = this.firstOffset;
  }
}

function sizeOf(entries: readonly Entry[]): Size {
  let bytes = 0;
  let cost = 0;
  for (const entry of entries) {
    bytes += entry.alert.byteLength;
    cost += memoryCost(entry);
  }
  return { bytes, cost };
}
