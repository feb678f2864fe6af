/**
 * The spool: an append-only log of alerts with one cursor per consumer. Three drivers serve this contract (memory,
 * disk, and NATS JetStream for several replicas); one suite in test/spool holds them to it.
 */
import type { Alert } from '../alert/alert.ts';
import type { Clock, Logger } from '../contract.ts';

/** An alert as it stands in the log. */
export interface Entry {
  /** Place in the log; grows by one with each alert, never reused. */
  readonly offset: number;
  /** When the alert was appended, in milliseconds since the epoch. */
  readonly appendedAt: number;
  readonly alert: Alert;
}

/** An entry handed to a consumer, to be settled exactly once by ack, retry or bury. Later calls are ignored. */
export interface Delivery extends Entry {
  /** 1 for the first hand-out; counted since the process started. */
  readonly attempt: number;
  /** It is a dead letter already, and stays one when it is given up again. */
  readonly isLetter?: boolean;
  /** Done with it: the cursor may move past. */
  ack(): void;
  /** Hands it out again after the given time. */
  retry(afterMs: number, error: Error): void;
  /**
   * Given up: kept as a dead letter, then the cursor may move past. Resolves when the letter is stored.
   * @throws when it cannot be stored; the delivery is still to be settled then
   */
  bury(error: Error): Promise<void>;
}

/** Reads the log from a cursor of its own. */
export interface Consumer {
  readonly name: string;
  /**
   * Up to `max` deliveries, oldest first, retries that are due before new entries; no more once their alerts come to
   * `maxBytes`. Waits until there is at least one; resolves with none when the signal aborts or the spool closes.
   */
  pull(max: number, signal: AbortSignal, maxBytes?: number): Promise<Delivery[]>;
  /** Like pull for what can be had without waiting (and without reading the disk); `new`: no retries. */
  take(max: number, only?: 'new', maxBytes?: number): Delivery[];
  /** Makes waiting retries due now: all of them, the far side is back; or the one that is due `next`, to try it. */
  hasten(which?: 'next'): void;
  stats(): ConsumerStats;
  /** Stops handing out. What is not settled is handed out again by the next consumer of that name. */
  close(): void;
}

export interface ConsumerStats {
  /** Entries not settled yet, those in flight and waiting for a retry among them. */
  depth: number;
  /** Handed out and not settled. */
  inFlight: number;
  /** Waiting for a retry. */
  waiting: number;
  /** When the oldest unsettled entry was appended, in milliseconds since the epoch; undefined when there is none. */
  oldestAt: number | undefined;
  /** Entries dropped unread because the log was full. */
  dropped: number;
}

export interface SpoolStats {
  /** Entries in the log, history included. */
  entries: number;
  bytes: number;
  /** Bytes kept in memory. */
  memoryBytes: number;
  firstOffset: number;
  /** The offset that the next alert gets. */
  nextOffset: number;
  oldestAt: number | undefined;
  /** Pieces of the log that could not be read back and were set aside. */
  setAside: number;
  /** Why appends are not durable at present; undefined when all is well. */
  fault: string | undefined;
  /** Whether alerts are refused as the log is full and set to reject. */
  full: boolean;
  /** Why dead letters cannot be stored or read at present; absent when all is well, or nothing is known. */
  deadLetterFault?: string | undefined;
  /** Bytes that the dead letters take; absent when nothing is known. */
  deadLetterBytes?: number | undefined;
  /** Where the log is on a server. */
  remote?: RemoteStats;
}

/** How this process gets on with the server that has the log. */
export interface RemoteStats {
  /** Whether the server can be reached and everything there is in order. */
  connected: boolean;
  /** Why alerts go into the local buffer at present: durable here, and seen by no output yet. */
  detour: string | undefined;
  /** Alerts and bytes in the local buffer. */
  buffered: number;
  bufferBytes: number;
}

/** How many alerts may go, over time. */
export interface RateLimiter {
  /** How many may go now, on the monotonic clock. */
  available(now: number): number;
  /** Takes what `available` has shown. */
  take(count: number): void;
  /** Milliseconds until it is worth asking again; 0 when one may go now. */
  waitMs(now: number): number;
}

/** Where a new consumer, one without a cursor, starts. */
export type Start = 'now' | 'beginning';

/** What `read` is asked for. Times are milliseconds since the epoch, both inclusive. */
export interface ReadRange {
  fromOffset?: number;
  since?: number;
  until?: number;
}

/** What each driver is handed. */
export interface SpoolDeps {
  clock: Clock;
  log: Logger;
}

export interface Spool {
  /**
   * Appends alerts in one piece. Undefined when they are as durable as configured; otherwise resolves when they are.
   * @throws SpoolFullError when the log is full and set to reject; nothing was taken
   * @throws SpoolFaultError when the disk refused; the alerts go out from memory while there is room
   * @throws AlertTooLargeError when one of them does not fit into the log at all; nothing was taken
   */
  append(alerts: readonly Alert[]): Promise<void> | undefined;
  /** The consumer of that name; its cursor is created at `start` when there is none. One at a time per name. */
  consumer(name: string, start?: Start): Consumer;
  /** Closes the consumers not named. Their cursors are kept for a while, should the outputs come back. */
  retain(names: readonly string[]): void;
  /**
   * Entries in order, oldest first, up to the end of the log at the time of the call.
   * @throws SpoolFaultError at once, or on the way, when the log is on a server that cannot be reached
   */
  read(range?: ReadRange): AsyncIterable<Entry>;
  stats(): SpoolStats;
  /** Drops what every cursor and the retention are past; also runs by itself. */
  trim(): Promise<void>;
  /** The dead letters of all consumers. */
  readonly deadLetters: DeadLetters;
  /**
   * A rate limit that all processes with this log share; absent where there is but one.
   * @param ready told when alerts may go again
   */
  sharedLimit?(output: string, limit: { perSecond: number; burst: number }, ready: () => void): RateLimiter;
  /** Writes everything down and releases the folder. Safe to call twice. */
  close(): Promise<void>;
}

/** An alert that was given up. */
export interface DeadLetter {
  id: number;
  /** The output (consumer) that gave it up. */
  output: string;
  alert: Alert;
  /** What went wrong last, without secrets. */
  error: string;
  reason: string;
  attempts: number;
  /** Milliseconds since the epoch. */
  buriedAt: number;
}

export interface DeadLetterFilter {
  output?: string;
  ids?: readonly number[];
  rule?: string;
  since?: number;
  /** Most letters returned; 100 when absent. */
  limit?: number;
  /** Ends the page once the alerts in it come to so many bytes; 16 MiB when absent. */
  bytes?: number;
  /** Only letters with a smaller id: pages go from new to old. */
  before?: number;
}

/** The box of alerts that were given up. */
export interface DeadLetters {
  /** Why letters cannot be stored or read at present; absent when all is well, or nothing is known. */
  readonly fault?: string | undefined;
  /** Bytes that they take, as far as this process knows; absent when nothing is known. Never throws. */
  readonly bytes?: number | undefined;
  add(letter: Omit<DeadLetter, 'id'>): Promise<number>;
  /** A page, newest first; none only when there are none. */
  list(filter?: DeadLetterFilter): Promise<DeadLetter[]>;
  /** How many there are, as far as this process knows: the box may be shared, or not to be had. Never throws. */
  count(output?: string): number;
  /** How many letters fit, by output; exact where the box is shared, too. */
  tally(filter: DeadLetterFilter): Promise<ReadonlyMap<string, number>>;
  /**
   * Removes letters; how many there were. Those that are added meanwhile stay.
   * @throws SpoolFaultError when that does not work, or not to the end
   */
  remove(filter: DeadLetterFilter): Promise<number>;
}

/** The box beside a log of this process alone. */
export interface OwnDeadLetters extends DeadLetters {
  /** Told when something was stored that is not on the device yet. */
  onWritten?: (() => void) | undefined;
  /**
   * Brings what was stored before the call to the device.
   * @throws what the disk says
   */
  sync?(): Promise<void>;
  /** Safe to call twice. */
  close(): void;
}

/** The log is full and `overflow` is `reject`. */
export class SpoolFullError extends Error {
  override readonly name = 'SpoolFullError';
}

/** An alert is larger than the log can hold. */
export class AlertTooLargeError extends Error {
  override readonly name = 'AlertTooLargeError';
}

/** The store refused a write (full disk, I/O error), or what is on a server cannot be reached. */
export class SpoolFaultError extends Error {
  override readonly name = 'SpoolFaultError';
  /** Of an append: the alerts go out from memory all the same. */
  readonly isTaken: boolean;

  constructor(message?: string, { isTaken = true, ...options }: ErrorOptions & { isTaken?: boolean } = {}) {
    super(message, options);
    this.isTaken = isTaken;
  }
}

/** Another process owns the data folder. */
export class SpoolLockedError extends Error {
  override readonly name = 'SpoolLockedError';
}
