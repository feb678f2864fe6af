/** The newest entries: in memory for the consumers, and on their way to the disk, which may refuse for a while. */
import type { Logger } from '../../contract.ts';
import type { Entry } from '../contract.ts';
import { memoryCost, Tail } from '../tail.ts';
import { errorCode } from './files.ts';
import type { DiskLog } from './log.ts';

/**
 * Entries that everybody has read stay up to this much, for whoever looks at the newest. More would outlive the
 * nursery of the garbage collector, which then copies every alert and has to look for the dead ones among the old.
 */
const SLACK_BYTES = 64 * 1024;
/** How soon a disk that refused is tried again. */
const RECHECK_MS = 1_000;

export interface WriteBehindOptions {
  disk: DiskLog;
  log: Logger;
  /** Most bytes of entries in memory, counted as `memoryCost` does. */
  memoryBytes: number;
  /** Done before each write; what went wrong, if anything. */
  prepare(): unknown;
  /** Told when the disk takes writes after a fault. */
  recovered(): void;
}

export class WriteBehind {
  readonly tail: Tail;
  readonly #options: WriteBehindOptions;
  #fault: string | undefined;
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
    const { disk, log, prepare } = this.#options;
    const error = prepare() ?? (this.unwritten > 0 ? disk.write(this.tail.from(disk.end)) : undefined);
    if (error === undefined) {
      if (this.#fault) log.info({}, 'the disk takes writes again');
      this.#fault = undefined;
      return true;
    }
    const fault = describeFault(error);
    if (!this.#fault) log.error({ fault }, 'alerts cannot be written to disk; they go out from memory only');
    this.#fault = fault;
    this.recheckLater();
    return false;
  }

  /** Takes a look, in a while, at whether the disk that refused has recovered. */
  recheckLater(): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A write of its own: with nothing to write, the rest would prove nothing.
      if (this.#options.disk.probe() !== undefined) this.recheckLater();
      else if (this.write()) this.#options.recovered();
    }, RECHECK_MS);
    this.#timer.unref();
  }

  /**
   * Frees memory for entries that may not get to the disk; false when there is none.
   * @param settled everything below is done with
   */
  makeRoom(entries: readonly Entry[], settled: number): boolean {
    const { disk, memoryBytes } = this.#options;
    const { tail } = this;
    let cost = 0;
    for (const entry of entries) cost += memoryCost(entry);
    const isOver = () => tail.bytes + cost > memoryBytes;
    while (isOver() && tail.first < disk.end) tail.shift();
    while (isOver() && tail.first < settled) {
      tail.shift();
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
