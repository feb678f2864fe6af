/** The room that the database of dead letters takes: it is measured, given back, and found where the disk has none. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { BUSY_MS, SQLITE_FULL, sqliteCode } from '../sqlite.ts';
import type { LetterReserve } from './reserve.ts';

/** Longest time for one piece of work: nothing else goes on meanwhile. */
export const STEP_MS = 10;
/** Most letters that are removed in one transaction; on a full disk, what is written for them fits into the reserve. */
const STEP_LETTERS = 1_000;
const STEP_LETTERS_FULL = 100;
/** Pages of the log beside the file after which they are brought over. */
const LOG_PAGES = 256;
/** Bytes of it that are kept for the letters to come. */
const LOG_BYTES = 2 ** 20;
/** Free pages that are left for the letters to come, and those that are given back at once. */
const SPARE_PAGES = 256;
const GIVEN_PAGES = 64;
/** A file without `auto_vacuum` is written anew at the start if it has no more bytes; nothing else goes on meanwhile. */
const CONVERT_BYTES = 8 * 2 ** 20;

/** To be run before anything is in the file: there, only `vacuum` changes the first one. */
export const SPACE_PRAGMAS = `
  pragma auto_vacuum = incremental;
  pragma wal_autocheckpoint = ${LOG_PAGES};
  pragma journal_size_limit = ${LOG_BYTES};
`;

export class LetterSpace {
  readonly #db: DatabaseSync;
  readonly #reserve: LetterReserve | undefined;
  readonly #pageCount: StatementSync;
  readonly #freeCount: StatementSync;
  readonly #pageBytes: number;
  /** Not of a file that was made without `auto_vacuum`. */
  readonly #canShrink: boolean;

  /** @param reserve of the file; absent where nothing is changed, or in memory */
  constructor(db: DatabaseSync, reserve?: LetterReserve) {
    this.#db = db;
    this.#pageCount = db.prepare('pragma page_count');
    this.#freeCount = db.prepare('pragma freelist_count');
    this.#pageBytes = Number(db.prepare('pragma page_size').get()?.page_size);
    this.#reserve = reserve;
    reserve?.keep();
    this.#canShrink = this.#isShrinking() || (reserve !== undefined && this.#convert());
  }

  /** Bytes of the file that hold something. */
  get bytes(): number {
    return (this.#pages - this.#free) * this.#pageBytes;
  }

  /** Whether the file is larger than one without letters need be. */
  get isLarge(): boolean {
    return this.#pages > SPARE_PAGES;
  }

  /**
   * Removes something in one transaction, also when the disk is full.
   * @param work told how many letters at most
   */
  remove<T>(work: (most: number) => T): T {
    return this.#withRoom(isFull => {
      const result = this.#commit(() => work(isFull ? STEP_LETTERS_FULL : STEP_LETTERS));
      // Otherwise what is free now would not become room for the reserve.
      if (isFull) tryTo(() => this.#vacuum());
      return result;
    });
  }

  /** Whether there are pages to give back to the disk. */
  get canGive(): boolean {
    return this.#canShrink && this.#free > SPARE_PAGES;
  }

  /** Gives some of them back; true when there are more. */
  give(): boolean {
    const end = performance.now() + STEP_MS;
    do {
      this.#withRoom(() => this.#vacuum());
      if (!this.canGive) {
        this.#empty();
        this.#reserve?.keep();
        return false;
      }
    } while (performance.now() < end);
    return true;
  }

  get #pages(): number {
    return Number(this.#pageCount.get()?.page_count);
  }

  get #free(): number {
    return Number(this.#freeCount.get()?.freelist_count);
  }

  /** Does what needs room on the disk first so that there is more of it in the end. */
  #withRoom<T>(work: (isFull: boolean) => T): T {
    try {
      return work(false);
    } catch (error) {
      if (!this.#reserve || sqliteCode(error) !== SQLITE_FULL) throw error;
    }
    // In one go: others wait for room on the disk, too.
    return this.#reserve.lend(() => {
      tryTo(() => this.#empty());
      const result = work(true);
      tryTo(() => this.#empty());
      return result;
    });
  }

  /** Brings the log beside the file over and cuts it off. Who reads there just now is not waited for. */
  #empty(): void {
    this.#db.exec('pragma busy_timeout = 0');
    try {
      this.#db.prepare('pragma wal_checkpoint(truncate)').get();
    } finally {
      this.#db.exec(`pragma busy_timeout = ${BUSY_MS}`);
    }
  }

  #vacuum(): void {
    this.#db.exec(`pragma incremental_vacuum(${GIVEN_PAGES})`);
  }

  #commit<T>(work: () => T): T {
    this.#db.exec('begin immediate');
    try {
      const result = work();
      this.#db.exec('commit');
      return result;
    } catch (error) {
      // After some errors SQLite has done so by itself (sqlite.org/lang_transaction.html).
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  #isShrinking(): boolean {
    return Number(this.#db.prepare('pragma auto_vacuum').get()?.auto_vacuum) > 0;
  }

  /** What is too large, or cannot be converted now, goes on as it was. */
  #convert(): boolean {
    if (this.#pages * this.#pageBytes > CONVERT_BYTES) return false;
    try {
      this.#db.exec('pragma temp_store = memory; vacuum;');
    } catch {}
    return this.#isShrinking();
  }
}

/** What is done stays done, whatever becomes of this. */
function tryTo(work: () => void): void {
  try {
    work();
  } catch {}
}
