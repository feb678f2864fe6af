/** Dead letters in SQLite: what wants queries rather than order. */
import { existsSync } from 'node:fs';
import type { Clock, Logger } from '../contract.ts';
import { createLogLimit, type LogLimit } from '../log-limit.ts';
import { type DeadLetter, type DeadLetterFilter, type DeadLetters, SpoolFaultError } from './contract.ts';
import { isBadFile, LetterStore } from './letter-store.ts';

export interface DeadLetterOptions {
  /** A file, or `:memory:`. */
  path: string;
  /** 0: no limit. */
  maxCount: number;
  /** 0: no limit. */
  maxAgeMs: number;
  /** True: a stored letter survives a power failure. */
  durable: boolean;
  clock: Clock;
  log: Logger;
  /** Moves a file that is no database out of the way. */
  setAside(path: string, why: string): void;
}

const PRUNE_INTERVAL_MS = 60_000;
/** A database that has refused is left alone for so long: a try may block everything while SQLite waits for a lock. */
const PAUSE_MS = 10_000;
/** A refusal is told for so long: what was refused is tried again before that, or is not there any more. */
const FAULT_MS = 120_000;

export class SqliteDeadLetters implements DeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #limit: LogLimit;
  #store: LetterStore | undefined;
  #closed = false;
  #prunedAt = Number.NEGATIVE_INFINITY;
  /** What the database refused last, and when, on the monotonic clock. */
  #refusal: { why: string; at: number } | undefined;
  /** Letters dropped because there were too many or they were too old, since the process started. */
  dropped = 0;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
    this.#limit = createLogLimit(options.log, options.clock);
  }

  get fault(): string | undefined {
    this.#lookFor();
    return this.#sinceRefusal() < FAULT_MS ? this.#refusal?.why : undefined;
  }

  async add(letter: Omit<DeadLetter, 'id'>): Promise<number> {
    if (this.#closed) throw new Error('the dead letters are closed');
    const id = this.#attempt(() => this.#insert(letter));
    this.#prune();
    return id;
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
    return this.#existing()?.remove(filter) ?? 0;
  }

  /** Closes the file; safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#store?.close();
    this.#store = undefined;
  }

  /**
   * The store if there is anything in it: asking for letters creates no file.
   * @throws SpoolFaultError when it cannot be opened
   */
  #existing(): LetterStore | undefined {
    if (this.#store) return this.#store;
    const { path } = this.#options;
    if (this.#closed || path === ':memory:' || !existsSync(path)) return undefined;
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
    const { path, durable } = this.#options;
    try {
      this.#store ??= LetterStore.open(path, durable);
    } catch (error) {
      if (!isBadFile(error)) throw error;
      this.#options.setAside(path, (error as Error).message);
      this.#store = LetterStore.open(path, durable);
    }
    return this.#store;
  }

  #insert(letter: Omit<DeadLetter, 'id'>): number {
    const store = this.#open();
    try {
      return store.add(letter);
    } catch (error) {
      if (!isBadFile(error)) throw error;
      // What is damaged takes no more letters; the next one begins a new file.
      this.#store = undefined;
      store.close();
      this.#options.setAside(this.#options.path, (error as Error).message);
      return this.#open().add(letter);
    }
  }

  /** What cannot be dropped now is dropped with a later letter: this one is stored. */
  #prune(): void {
    const { maxCount, maxAgeMs, clock } = this.#options;
    const store = this.#store!;
    const now = clock.now();
    let gone = 0;
    try {
      if (maxCount > 0 && store.count() > maxCount) gone += store.removeOldest(store.count() - maxCount);
      if (maxAgeMs > 0 && Math.abs(now - this.#prunedAt) >= PRUNE_INTERVAL_MS) {
        this.#prunedAt = now;
        gone += store.removeBuriedBefore(now - maxAgeMs);
      }
    } catch (error) {
      this.#limit.warn(
        'kept',
        { error: (error as Error).message },
        'the oldest dead letters cannot be dropped',
      );
    }
    if (gone === 0) return;
    this.dropped += gone;
    const fields = { dropped: this.dropped, kept: store.count() };
    this.#limit.warn('dropped', fields, 'the oldest dead letters were dropped');
  }
}
