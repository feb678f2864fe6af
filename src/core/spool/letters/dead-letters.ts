/** Dead letters in SQLite: what wants queries rather than order. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { ClockJumps } from '../../clock-jumps.ts';
import type { Clock, Logger } from '../../contract.ts';
import { createLogLimit, type LogLimit } from '../../log-limit.ts';
import { type DeadLetter, type DeadLetterFilter, type OwnDeadLetters, SpoolFaultError } from '../contract.ts';
import { SQLITE_FULL, sqliteCode } from '../sqlite.ts';
import { LetterRemoval } from './removal.ts';
import { type LetterLimits, LetterRetention } from './retention.ts';
import { isBadFile, LetterStore } from './store.ts';
import { LetterSync } from './sync.ts';

export interface DeadLetterOptions extends LetterLimits {
  /** A file, or `:memory:`. */
  path: string;
  /** True: a stored letter survives a power failure. */
  durable: boolean;
  clock: Clock;
  log: Logger;
  /** Moves a file that is no database out of the way. */
  setAside(path: string, why: string): void;
}

const MEMORY = ':memory:';
/** A database that has refused is left alone for so long: a try may block everything while SQLite waits for a lock. */
const PAUSE_MS = 10_000;
/** A refusal is told for so long: what was refused is tried again before that, or is not there any more. */
const FAULT_MS = 120_000;

/** The store that is open, and what belongs to it. */
interface Opened {
  store: LetterStore;
  retention: LetterRetention;
  /** What the file's name stood for when it was opened. */
  inode: number | undefined;
}

export class SqliteDeadLetters implements OwnDeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #limit: LogLimit;
  readonly #jumps: ClockJumps;
  readonly #syncs: LetterSync | undefined;
  onWritten: (() => void) | undefined;
  #opened: Opened | undefined;
  #closed = false;
  /** What the database refused last, and when, on the monotonic clock. */
  #refusal: { why: string; at: number } | undefined;
  /** Letters dropped because there were too many or they were too old, since the process started. */
  dropped = 0;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
    this.#limit = createLogLimit(options.log, options.clock);
    this.#jumps = new ClockJumps(options.clock);
    if (!options.durable && options.path !== MEMORY) this.#syncs = new LetterSync(options.path);
  }

  get fault(): string | undefined {
    this.#lookFor();
    return this.#sinceRefusal() < FAULT_MS ? this.#refusal?.why : undefined;
  }

  get bytes(): number | undefined {
    try {
      return this.#existing()?.space.bytes;
    } catch {
      return undefined;
    }
  }

  async add(letter: Omit<DeadLetter, 'id'>): Promise<number> {
    if (this.#closed) throw new Error('the dead letters are closed');
    try {
      const id = this.#attempt(() => this.#insert(letter));
      this.#written();
      // What cannot be dropped now is dropped with a later letter: this one is stored.
      this.#opened?.retention.enforce();
      return id;
    } catch (error) {
      // Where the limits are lower now, there is room to be had.
      if (sqliteCode((error as Error).cause) === SQLITE_FULL) this.#opened?.retention.enforce();
      throw error;
    }
  }

  async list(filter: DeadLetterFilter = {}): Promise<DeadLetter[]> {
    const { log } = this.#options;
    const unreadable = (id: number, { message: error }: Error) =>
      log.error({ id, error }, 'a dead letter cannot be read');
    return this.#existing()?.list(filter, unreadable) ?? [];
  }

  count(output?: string): number {
    return this.#lookFor()?.count(output) ?? 0;
  }

  async tally(filter: DeadLetterFilter): Promise<Map<string, number>> {
    return this.#existing()?.tally(filter) ?? new Map();
  }

  async remove(filter: DeadLetterFilter): Promise<number> {
    const store = this.#existing();
    if (!store) return 0;
    let removal: LetterRemoval | undefined;
    try {
      removal = new LetterRemoval(store, filter);
      while (removal.step()) {
        this.#written();
        await turn();
        if (this.#closed) throw new Error('the dead letters were closed meanwhile');
        // Another one has emptied the file, or it is gone: so are the letters.
        if (this.#opened?.store !== store) return removal.removed;
      }
    } catch (error) {
      // The disk has no room even for removing; it has when the file goes as a whole.
      if (sqliteCode(error) !== SQLITE_FULL || !removal?.isOfAll) throw toFault(error, removal?.removed);
      const left = store.count();
      if (!this.#beginAnew(store)) throw toFault(error, removal.removed);
      return removal.removed + left;
    }
    if (store.count() === 0 && store.space.isLarge) this.#beginAnew(store);
    else this.#opened?.retention.enforce();
    return removal.removed;
  }

  async sync(): Promise<void> {
    await this.#syncs?.sync();
  }

  close(): void {
    this.#closed = true;
    this.#close();
  }

  /**
   * The store if there is anything in it: asking for letters creates no file.
   * @throws SpoolFaultError when it cannot be opened
   */
  #existing(): LetterStore | undefined {
    this.#letGo();
    if (this.#opened) return this.#opened.store;
    const { path } = this.#options;
    if (this.#closed || path === MEMORY || !existsSync(path)) return undefined;
    return this.#attempt(() => this.#open());
  }

  /** Like `#existing`, for who is told the fault. */
  #lookFor(): LetterStore | undefined {
    try {
      return this.#existing();
    } catch {
      return undefined;
    }
  }

  /**
   * Does what the database may refuse; then it is left alone for a while.
   * @throws SpoolFaultError when it refuses, or did of late
   */
  #attempt<T>(work: () => T): T {
    const { clock, log, path } = this.#options;
    if (this.#refusal && this.#sinceRefusal() < PAUSE_MS) throw new SpoolFaultError(this.#refusal.why);
    try {
      const result = work();
      if (this.#refusal) log.info({ file: path }, 'the dead letters can be used again');
      this.#refusal = undefined;
      return result;
    } catch (error) {
      const { message } = error as Error;
      if (this.#sinceRefusal() >= FAULT_MS) {
        log.error({ file: path, error: message }, 'the dead letters cannot be used; it will be tried again');
      }
      this.#refusal = { why: `the dead letters cannot be used: ${message}`, at: clock.monotonic() };
      throw new SpoolFaultError(this.#refusal.why, { cause: error });
    }
  }

  #sinceRefusal(): number {
    return this.#refusal ? this.#options.clock.monotonic() - this.#refusal.at : Number.POSITIVE_INFINITY;
  }

  #open(): LetterStore {
    this.#letGo();
    if (this.#opened) return this.#opened.store;
    const { path, durable } = this.#options;
    let store: LetterStore;
    try {
      store = LetterStore.open(path, durable);
    } catch (error) {
      if (!isBadFile(error)) throw error;
      this.#options.setAside(path, (error as Error).message);
      store = LetterStore.open(path, durable);
    }
    const retention = new LetterRetention({
      ...this.#options,
      store,
      jumps: this.#jumps,
      dropped: letters => this.#tellDropped(letters, store),
      failed: ({ message: error }) =>
        this.#limit.warn(
          'kept',
          { error },
          'the oldest dead letters cannot be dropped, or give no room back',
        ),
    });
    this.#opened = { store, retention, inode: inodeOf(path) };
    this.#syncs?.opened();
    return store;
  }

  #insert(letter: Omit<DeadLetter, 'id'>): number {
    const store = this.#open();
    try {
      return store.add(letter);
    } catch (error) {
      if (!isBadFile(error)) throw error;
      // What is damaged takes no more letters; the next one begins a new file.
      this.#close();
      this.#options.setAside(this.#options.path, (error as Error).message);
      return this.#open().add(letter);
    }
  }

  #close(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.retention.stop();
    opened?.store.close();
  }

  /** Closes a file that somebody removed or replaced: what is stored there is gone when the process ends. */
  #letGo(): void {
    const { path, log } = this.#options;
    if (!this.#opened || path === MEMORY) return;
    try {
      if (inodeOf(path) === this.#opened.inode) return;
    } catch {
      return;
    }
    const letters = this.#opened.store.count();
    log.warn(
      { file: path, letters },
      'the file of the dead letters was removed or replaced, with its letters',
    );
    this.#close();
  }

  /** Begins a new file, so that all of the room is given back whatever the disk has left; false when that fails. */
  #beginAnew(store: LetterStore): boolean {
    const { path } = this.#options;
    const last = store.lastId;
    this.#close();
    try {
      if (path !== MEMORY) for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    } catch {
      return false;
    }
    try {
      this.#open().startAfter(last);
    } catch {
      // It is opened with the next letter, and a fault is told then.
    }
    return true;
  }

  #written(): void {
    if (!this.#syncs) return;
    this.#syncs.written();
    this.onWritten?.();
  }

  #tellDropped(letters: number, store: LetterStore): void {
    this.dropped += letters;
    this.#written();
    const fields = { dropped: this.dropped, kept: store.count() };
    this.#limit.warn('dropped', fields, 'the oldest dead letters were dropped');
  }
}

/** Undefined when there is no such file. */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function toFault(error: unknown, removed = 0): SpoolFaultError {
  const done = removed > 0 ? `, after ${removed} of them` : '';
  const message = `the dead letters cannot be removed${done}: ${(error as Error).message}`;
  return new SpoolFaultError(message, { cause: error });
}
