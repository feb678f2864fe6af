/** The disk driver: alerts are appended to a segmented log, and go out from memory to whoever keeps up. */
import type { Alert } from '../../alert/alert.ts';
import { ClockJumps } from '../../clock-jumps.ts';
import type { SpoolConfig } from '../../config/types.ts';
import type { Clock, Logger } from '../../contract.ts';
import { Consumers } from '../consumers.ts';
import {
  AlertTooLargeError,
  type Consumer,
  type Entry,
  type OwnDeadLetters,
  type ReadRange,
  type Spool,
  SpoolFaultError,
  SpoolFullError,
  type SpoolStats,
  type Start,
} from '../contract.ts';
import { type CursorFile, serialiseCursors } from '../cursor.ts';
import { DropReport } from '../drop-report.ts';
import { readLog, stampAfter } from '../history.ts';
import type { Chunk, LogReader } from '../log-reader.ts';
import type { Checkpoint } from './checkpoint.ts';
import { Cleaner } from './cleaner.ts';
import { CursorKeeper } from './cursor-keeper.ts';
import { largestPayload } from './format.ts';
import { GroupCommit } from './group-commit.ts';
import type { DiskLog } from './log.ts';
import type { SetAside } from './set-aside.ts';
import { SyncLoop } from './sync-loop.ts';
import { describeFault, WriteBehind } from './write-behind.ts';
import { recordBytes } from './writer.ts';

/** With durability `process`: how long what was written may wait for the device. */
const SYNC_DELAY_MS = 1_000;
const TRIM_INTERVAL_MS = 30_000;
/** Most entries in one piece that is handed to a reader from memory. */
const CHUNK_ENTRIES = 256;
/** Space that is made on a full disk for the cursors. */
const CURSOR_BYTES = 64 * 1024;

/** The parts of a disk spool, opened. */
export interface DiskSpoolParts {
  clock: Clock;
  log: Logger;
  disk: DiskLog;
  checkpoint: Checkpoint;
  setAside: SetAside;
  cursors: CursorFile | undefined;
  /** There were cursors, and they are lost. */
  areCursorsLost: boolean;
  deadLetters: OwnDeadLetters;
  /** Gives the folder free. */
  release(): void;
}

export class DiskSpool implements Spool, LogReader {
  readonly deadLetters: OwnDeadLetters;
  readonly #config: SpoolConfig;
  /** Bytes of the largest alert there is room for. */
  readonly #largest: number;
  readonly #parts: DiskSpoolParts;
  readonly #disk: DiskLog;
  readonly #newest: WriteBehind;
  readonly #cleaner: Cleaner;
  readonly #consumers: Consumers;
  readonly #drops: DropReport;
  readonly #syncs: SyncLoop;
  readonly #cursors: CursorKeeper;
  readonly #trimTimer: NodeJS.Timeout;
  readonly #commits = new GroupCommit((alerts, bytes) => this.#write(alerts, bytes));
  #syncFault: string | undefined;
  /** What the last append wanted if it was refused as the log is full, else 0. */
  #refusedBytes = 0;
  /** When the newest entry was appended, in milliseconds since the epoch. */
  #lastAt: number;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(config: SpoolConfig, parts: DiskSpoolParts) {
    this.#config = config;
    this.#largest = largestPayload(config.maxBytes);
    this.#parts = parts;
    this.#disk = parts.disk;
    this.#lastAt = parts.disk.lastAt ?? 0;
    this.#newest = new WriteBehind({
      disk: parts.disk,
      log: parts.log,
      memoryBytes: config.memoryBytes,
      mayDrop: config.overflow === 'drop-oldest',
      free: (bytes, unread) => this.#cleaner.free(bytes, unread),
      dropped: (from, to) => this.#drops.add(this.#consumers.moveForward(to, from)),
      prepare: () => this.#cursors.saveNew(),
      recovered: () => void this.#syncs.run(),
    });
    this.deadLetters = parts.deadLetters;
    this.#drops = new DropReport(parts.clock, parts.log);
    const jumps = new ClockJumps(parts.clock);
    this.#cursors = new CursorKeeper({
      checkpoint: parts.checkpoint,
      log: parts.log,
      text: () =>
        serialiseCursors(this.nextOffset, this.#consumers.values(), parts.disk.segments.allMissing()),
      due: () => this.#evict(),
      free: () => this.#cleaner.free(CURSOR_BYTES),
      syncLetters: () => this.#syncLetters(),
    });
    this.#syncs = new SyncLoop(
      () => this.#sync(),
      error => this.#synced(error),
    );
    this.deadLetters.onWritten = () => this.#syncs.soon(SYNC_DELAY_MS);
    this.#consumers = new Consumers({
      reader: this,
      deadLetters: parts.deadLetters,
      clock: parts.clock,
      jumps,
      log: parts.log,
      drops: this.#drops,
      moved: settled => this.#cursors.moved(settled),
      fromBeginning: parts.areCursorsLost,
      removedMs: config.removedMs,
    });
    this.#cleaner = new Cleaner({
      config,
      clock: parts.clock,
      log: parts.log,
      jumps,
      disk: parts.disk,
      consumers: this.#consumers,
      drops: this.#drops,
      saveCursors: () => this.#cursors.save(),
    });
    if (parts.cursors) {
      // What a segment lacks shows only when it is read.
      for (const [from, to] of parts.cursors.missing) {
        parts.disk.segments.addMissing(Math.max(from, this.firstOffset), to);
      }
      this.#consumers.restore(parts.cursors);
    }
    this.#drops.add(this.#consumers.moveForward(this.firstOffset));
    this.#trimTimer = setInterval(() => this.#trim(), TRIM_INTERVAL_MS);
    this.#trimTimer.unref();
  }

  get firstOffset(): number {
    return this.#disk.firstOffset;
  }

  get nextOffset(): number {
    return this.#newest.tail.next;
  }

  append(alerts: readonly Alert[]): Promise<void> | undefined {
    if (this.#isClosed) return Promise.reject(new Error('the spool is closed'));
    if (alerts.length === 0) return Promise.resolve();
    let bytes = 0;
    for (const alert of alerts) {
      if (alert.byteLength > this.#largest) {
        return Promise.reject(new AlertTooLargeError(`an alert of more than ${this.#largest} bytes`));
      }
      bytes += recordBytes({ alert });
    }
    if (this.#config.overflow === 'reject') this.#refusedBytes = this.#hasRoom(bytes) ? 0 : bytes;
    if (this.#refusedBytes > 0) {
      return Promise.reject(new SpoolFullError('the spool is full: outputs have not taken what it holds'));
    }
    return this.#commits.add(alerts, bytes);
  }

  consumer(name: string, start: Start = 'now'): Consumer {
    if (this.#isClosed) throw new Error('the spool is closed');
    const { consumer, created } = this.#consumers.open(name, start);
    if (created) this.#cursors.added();
    return consumer;
  }

  retain(names: readonly string[]): void {
    this.#consumers.retain(names);
    this.#cursors.moved(0);
  }

  read(range: ReadRange = {}): AsyncIterable<Entry> {
    return readLog(this, range);
  }

  stats(): SpoolStats {
    const { firstOffset, nextOffset } = this;
    const entries = nextOffset - firstOffset - this.missing(firstOffset, nextOffset);
    return {
      entries,
      bytes: this.#disk.bytes,
      memoryBytes: this.#newest.tail.bytes,
      firstOffset,
      nextOffset,
      oldestAt: entries > 0 ? this.timeAt(firstOffset) : undefined,
      setAside: this.#parts.setAside.count,
      fault: this.#newest.fault ?? this.#syncFault,
      full: this.#refusedBytes > 0 && !this.#hasRoom(this.#refusedBytes),
      deadLetterFault: this.deadLetters.fault,
      deadLetterBytes: this.deadLetters.bytes,
    };
  }

  trim(): Promise<void> {
    this.#trim();
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  peek(offset: number): Entry | undefined {
    return this.#newest.tail.get(offset);
  }

  load(offset: number): Promise<Chunk> {
    const { tail } = this.#newest;
    if (offset < this.#disk.end && offset < tail.first) return this.#disk.load(offset);
    const entries = tail.from(offset, CHUNK_ENTRIES);
    return Promise.resolve({ from: offset, entries, next: (entries.at(-1)?.offset ?? offset - 1) + 1 });
  }

  missing(from: number, to: number): number {
    return this.#disk.segments.missing(from, to);
  }

  timeAt(offset: number): number | undefined {
    return (
      this.peek(offset)?.appendedAt ?? this.#disk.segments.holding(offset)?.markBefore(offset).appendedAt
    );
  }

  seek(offset: number, since: number, until: number): number {
    return this.#disk.seek(offset, since, until);
  }

  #hasRoom(bytes: number): boolean {
    return this.#cleaner.makeRoom(this.#commits.bytes + bytes);
  }

  #write(alerts: readonly Alert[], bytes: number): Promise<void> | undefined {
    const newest = this.#newest;
    const { tail } = newest;
    const appendedAt = stampAfter(this.#lastAt, this.#parts.clock.now());
    const entries: Entry[] = [];
    for (const alert of alerts) entries.push({ offset: tail.next + entries.length, appendedAt, alert });
    // What could not be written holds memory: when there is too much of it, nothing more is taken.
    if (newest.fault && !newest.admit(entries, this.#consumers.lowest(tail.next))) {
      const message = `${newest.fault}, and there is no room left in memory`;
      return Promise.reject(new SpoolFaultError(message, { isTaken: false }));
    }
    if (this.#config.overflow === 'drop-oldest') this.#cleaner.makeRoom(bytes);
    for (const entry of entries) tail.push(entry);
    this.#lastAt = appendedAt;
    const isWritten = newest.write();
    this.#evict();
    this.#consumers.wake();
    if (!isWritten) return Promise.reject(new SpoolFaultError(newest.fault));
    if (this.#config.durability === 'power') return this.#onDevice();
    this.#syncs.soon(SYNC_DELAY_MS);
    return undefined;
  }

  #onDevice(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#syncs.wait({
        resolve,
        reject: error => reject(new SpoolFaultError(describeFault(error))),
      });
    });
  }

  async #sync(): Promise<void> {
    await this.#disk.sync();
    await this.#syncLetters();
    await this.#cursors.backup();
  }

  async #syncLetters(): Promise<void> {
    await this.deadLetters.sync?.();
  }

  #synced(error: unknown): void {
    const fault = error === undefined ? undefined : describeFault(error);
    if (fault && !this.#syncFault)
      this.#parts.log.error({ fault }, 'what was written did not reach the device');
    if (!fault && this.#syncFault) this.#parts.log.info({}, 'the disk is up to date again');
    this.#syncFault = fault;
    if (fault) this.#newest.recheckLater();
  }

  /** Lets go of what need not be in memory. */
  #evict(): void {
    const { tail } = this.#newest;
    this.#newest.evict(this.#consumers.lowestUnread(tail.first, tail.next));
  }

  #trim(): void {
    if (this.#consumers.forgetRemoved()) this.#cursors.moved(0);
    this.#cleaner.trim();
    this.#evict();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#trimTimer);
    this.#commits.flush();
    this.#consumers.close();
    this.#drops.close();
    this.#cursors.stop();
    this.#newest.close();
    if (!this.#newest.write()) {
      const alerts = this.#consumers.unsettled(this.#disk.end, this.nextOffset);
      const message = 'alerts that could not be written to disk are lost with this process';
      if (alerts > 0) this.#parts.log.error({ alerts }, message);
    }
    this.#cursors.checkpoint();
    await this.#syncs.run();
    this.#disk.close();
    this.deadLetters.close();
    this.#parts.release();
  }
}
