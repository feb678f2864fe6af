/**
 * What was sent, answered and delivered, in memory that the threads of load generator, sinks and scenario share. Alerts
 * are numbered over a whole run, warm-up included.
 */
import type { Mark } from './marker.ts';

/** Alerts of the numbers `first` to `end - 1`. */
export interface Span {
  first: number;
  end: number;
}

/** Alerts a run may have: pages of the shared memory that are not reached cost nothing. */
const DEFAULT_CAPACITY = 1 << 23;

export class Ledger {
  /** 1 for each alert that was answered 2xx. */
  readonly acknowledged: Uint8Array;
  readonly #next: Int32Array;

  constructor(buffers: Ledger['buffers'] = newLedger(DEFAULT_CAPACITY)) {
    this.buffers = buffers;
    this.acknowledged = new Uint8Array(buffers.acknowledged);
    this.#next = new Int32Array(buffers.next);
  }

  /** To be given to another thread, which makes its ledger of them. */
  readonly buffers: { acknowledged: SharedArrayBuffer; next: SharedArrayBuffer };

  get capacity(): number {
    return this.acknowledged.length;
  }

  /** The number that the next alert gets. */
  get next(): number {
    return Atomics.load(this.#next, 0);
  }

  /** Gives out a number; undefined when there is none left. */
  take(): number | undefined {
    const number = Atomics.add(this.#next, 0, 1);
    if (number < this.capacity) return number;
    Atomics.sub(this.#next, 0, 1);
    return undefined;
  }
}

function newLedger(capacity: number): Ledger['buffers'] {
  return { acknowledged: new SharedArrayBuffer(capacity), next: new SharedArrayBuffer(4) };
}

/** What a sink counts, each at its place in the shared memory. */
const COUNTS = [
  /** Different alerts that arrived. */
  'delivered',
  /** Arrivals after the first. */
  'duplicates',
  'requests',
  /** Requests that were not answered with 2xx. */
  'failed',
  /** Requests in which there was no alert. */
  'unmarked',
  'connections',
  /** Requests during a pause that the sink had asked for. */
  'early',
] as const;
export type Count = (typeof COUNTS)[number];

/** What one sink got, and when. */
export class Tally {
  readonly buffers: { arrivedAt: SharedArrayBuffer; latency: SharedArrayBuffer; counts: SharedArrayBuffer };
  /** When an alert arrived first, in milliseconds on the monotonic clock; 0: never. */
  readonly #arrivedAt: Float64Array;
  /** Milliseconds from when an alert was due to its first arrival. */
  readonly #latency: Float32Array;
  readonly #counts: Int32Array;

  constructor(buffers: Tally['buffers'] = newTally(DEFAULT_CAPACITY)) {
    this.buffers = buffers;
    this.#arrivedAt = new Float64Array(buffers.arrivedAt);
    this.#latency = new Float32Array(buffers.latency);
    this.#counts = new Int32Array(buffers.counts);
  }

  count(name: Count): number {
    return Atomics.load(this.#counts, COUNTS.indexOf(name));
  }

  add(name: Count, by = 1): void {
    Atomics.add(this.#counts, COUNTS.indexOf(name), by);
  }

  /** Begins to count from zero again; what arrived is still known. */
  reset(...names: Count[]): void {
    for (const name of names) Atomics.store(this.#counts, COUNTS.indexOf(name), 0);
  }

  /** Notes that an alert has arrived. */
  record({ number, dueMs }: Mark, atMs: number): void {
    if (number >= this.#arrivedAt.length) return;
    if (this.#arrivedAt[number] !== 0) {
      this.add('duplicates');
      return;
    }
    this.#arrivedAt[number] = atMs;
    this.#latency[number] = atMs - dueMs;
    this.add('delivered');
  }

  /** Alerts that arrived. */
  deliveredIn({ first, end }: Span): number {
    let delivered = 0;
    for (let number = first; number < end; number++) if (this.#arrivedAt[number] !== 0) delivered++;
    return delivered;
  }

  /** Alerts that were answered 2xx and never arrived. */
  lostOf({ acknowledged }: Ledger, { first, end }: Span): number {
    let lost = 0;
    for (let number = first; number < end; number++) {
      if (acknowledged[number] === 1 && this.#arrivedAt[number] === 0) lost++;
    }
    return lost;
  }

  /** Milliseconds from due to first arrival, of those that arrived; in no order. */
  latenciesOf({ first, end }: Span): Float64Array {
    const latencies = new Float64Array(this.deliveredIn({ first, end }));
    let filled = 0;
    for (let number = first; number < end; number++) {
      if (this.#arrivedAt[number] !== 0) latencies[filled++] = this.#latency[number]!;
    }
    return latencies;
  }

  /** When the last of those arrived that were due before a time; 0 when none did. Milliseconds, monotonic clock. */
  lastArrival({ first, end }: Span, dueBeforeMs: number): number {
    let last = 0;
    for (let number = first; number < end; number++) {
      const at = this.#arrivedAt[number]!;
      if (at > last && at - this.#latency[number]! < dueBeforeMs) last = at;
    }
    return last;
  }
}

function newTally(capacity: number): Tally['buffers'] {
  return {
    arrivedAt: new SharedArrayBuffer(capacity * 8),
    latency: new SharedArrayBuffer(capacity * 4),
    counts: new SharedArrayBuffer(COUNTS.length * 4),
  };
}
