/** The newest entries: in memory for the consumers, and on their way to the disk, which may refuse for a while. */
import type { Logger } from '../../contract.ts';
import type { Entry } from '../contract.ts';
import { memoryCost, Tail } from '../tail.ts';
import { errorCode, isDiskFull } from './files.ts';
import type { DiskLog } from './log.ts';
import { recordBytes } from './writer.ts';

/**
 * Entries that everybody has read stay up to this much, for whoever looks at the newest. More would outlive the
 * nursery of the garbage collector, which then copies every alert and has to look for the dead ones among the old.
 */
const SLACK_BYTES = 64 * 1024;
/** How soon a disk that refused is tried again. */
const RECHECK_MS = 1_000;
/** A disk that is full for longer is taken for one that stays so: then alerts may go that an output has not read. */
const PATIENCE_MS = 10_000;
/** Space to make on a full disk beyond the next alert: for blocks, cursors, a new segment. */
const SPARE_BYTES = 64 * 1024;

export interface WriteBehindOptions {
  disk: DiskLog;
  log: Logger;
  /** Most bytes of entries in memory, counted as `memoryCost` does. */
  memoryBytes: number;
  /** Entries that an output has not read may be dropped for new ones. */
  mayDrop: boolean;
  /** Done before each write; what went wrong, if anything. */
  prepare(): unknown;
  /** Drops the oldest segments that come to so many bytes, `unread` ones only when told so; false when there are none. */
  free(bytes: number, unread?: 'unread'): boolean;
  /** Told before the entries from..to-1 go that were in memory only. */
  dropped(from: number, to: number): void;
  /** Told when the disk takes writes after a fault. */
  recovered(): void;
}

export class WriteBehind {
  readonly tail: Tail;
  readonly #options: WriteBehindOptions;
  #fault: string | undefined;
  /** Since when, on the monotonic clock. */
  #faultAt = 0;
  /** Unread entries were dropped for the disk, and it took nothing for it: no more of them go until it does. */
  #isDropInVain = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
    this.tail = new Tail(options.disk.end);
  }

  /** Why entries cannot be written at present. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Entries that are in memory only. */
  get unwritten(): number {
    return this.tail.next - this.#options.disk.end;
  }

  /** Writes everything in memory that is not on disk; false when the disk refuses. */
  write(): boolean {
    const hasWaited = this.#fault !== undefined && performance.now() - this.#faultAt >= PATIENCE_MS;
    return this.#write(hasWaited && !this.#isClosed);
  }

  /**
   * Whether entries can be taken while the disk refuses: it has recovered, or memory is free or can be freed for them.
   * @param settled everything below is done with
   */
  admit(entries: readonly Entry[], settled: number): boolean {
    if (this.write() || this.#makeRoom(entries, settled)) return true;
    if (!this.#options.mayDrop) return false;
    return (!this.#isDropInVain && this.#write(true)) || this.#makeRoom(entries, this.tail.next);
  }

  #write(unread: boolean): boolean {
    const { log } = this.#options;
    let error = this.#tryWrite();
    while (isDiskFull(error) && this.#free(unread)) error = this.#tryWrite();
    if (error === undefined) {
      if (this.#fault) log.info({}, 'the disk takes writes again');
      this.#fault = undefined;
      return true;
    }
    const fault = describeFault(error);
    if (!this.#fault) {
      this.#faultAt = performance.now();
      log.error({ fault }, 'alerts cannot be written to disk; they go out from memory only');
    }
    this.#fault = fault;
    this.recheckLater();
    return false;
  }

  /** What the disk says against it. */
  #tryWrite(): unknown {
    const { disk, prepare } = this.#options;
    const refusal = prepare();
    if (refusal !== undefined) return refusal;
    if (this.unwritten === 0) return undefined;
    const { end } = disk;
    const error = disk.write(this.tail.from(end));
    if (disk.end > end) this.#isDropInVain = false;
    return error;
  }

  /**
   * Makes space on a full disk for the next entry; false when nothing may go for it.
   * @param unread entries that an output has not read may go, where that is allowed at all
   */
  #free(unread: boolean): boolean {
    const { disk, free, mayDrop } = this.#options;
    const next = this.tail.get(disk.end);
    const bytes = SPARE_BYTES + (next ? recordBytes(next) : 0);
    if (free(bytes)) return true;
    if (!unread || !mayDrop || this.#isDropInVain || !free(bytes, 'unread')) return false;
    this.#isDropInVain = true;
    return true;
  }

  /** Takes a look, in a while, at whether the disk that refused has recovered. */
  recheckLater(): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A write of its own: with nothing to write, the rest would prove nothing.
      const error = this.#options.disk.probe();
      const isStuck =
        error !== undefined && !(isDiskFull(error) && (this.unwritten > 0 || this.#free(false)));
      if (isStuck) this.recheckLater();
      else if (this.write()) this.#options.recovered();
    }, RECHECK_MS);
    this.#timer.unref();
  }

  /**
   * Frees memory for entries that may not get to the disk; false when there is none.
   * @param to everything below may go
   */
  #makeRoom(entries: readonly Entry[], to: number): boolean {
    const { disk, memoryBytes, dropped } = this.#options;
    const { tail } = this;
    let cost = 0;
    for (const entry of entries) cost += memoryCost(entry);
    if (cost > memoryBytes) return false;
    const isOver = () => tail.bytes + cost > memoryBytes;
    while (isOver() && tail.first < Math.max(to, disk.end)) tail.shift();
    if (tail.first > disk.end) {
      dropped(disk.end, tail.first);
      disk.skipTo(tail.first);
    }
    return !isOver();
  }

  /**
   * Lets go of entries on disk that nobody needs, and of more when memory is short.
   * @param read everything below has been read by all
   */
  evict(read: number): void {
    const { disk, memoryBytes } = this.#options;
    const { tail } = this;
    const { end } = disk;
    const slack = Math.min(SLACK_BYTES, memoryBytes);
    while (tail.first < end) {
      if (tail.bytes <= (tail.first < read ? slack : memoryBytes)) break;
      tail.shift();
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

/** A sentence without paths. */
export function describeFault(error: unknown): string {
  return `the disk refused a write (${errorCode(error)})`;
}
