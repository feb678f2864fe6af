/** A worker's surroundings for tests: the memory spool, a far end that is a function, and ears for what it tells. */
import { vi } from 'vitest';
import { type Alert, sealAlert } from '../../src/core/alert/alert.ts';
import type { DeliveryConfig, OutputInstance } from '../../src/core/config/types.ts';
import {
  type Cancellation,
  type Clock,
  defineOutput,
  type Output,
  type SendContext,
} from '../../src/core/contract.ts';
import type { DeliveryObserver } from '../../src/core/delivery/contract.ts';
import type { OutputWorkerOptions } from '../../src/core/delivery/options.ts';
import { OutputWorker } from '../../src/core/delivery/worker.ts';
import { PermanentError, RetriableError } from '../../src/core/errors.ts';
import type { DeadLetter, DeadLetters } from '../../src/core/spool/contract.ts';
import { MemorySpool } from '../../src/core/spool/memory.ts';
import { draftOf } from './drafts.ts';
import { PLAIN } from './http-client.ts';
import { recordingLogger } from './logger.ts';

/** An alert whose rule is `rule`. */
export function alertOfRule(rule: string): Alert {
  return sealAlert(draftOf({ rule }));
}

/** The clock of vitest's fake timers; chance is always in the middle. */
export const fakeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => 0.5,
};

export const DELIVERY: DeliveryConfig = {
  from: 'now',
  timeoutMs: 10_000,
  concurrency: 8,
  retry: { maxAgeMs: 24 * 3_600_000, attempts: 0, minMs: 500, maxMs: 60_000 },
  breaker: { failures: 5, maxMs: 15_000 },
  rateLimit: { perSecond: 0, burst: 0 },
};

export function instanceOf(delivery: Partial<DeliveryConfig> = {}): OutputInstance {
  const definition = defineOutput({
    name: 'fake',
    title: 'Fake',
    category: 'other',
    docs: 'Only for tests.',
    keys: {} as never,
    enabled: () => true,
    open: () => Promise.reject(new Error('not used')),
    example: {} as never,
  });
  return {
    id: 'fake.one',
    definition: definition as unknown as OutputInstance['definition'],
    config: {},
    minimumPriority: '',
    match: [],
    delivery: { ...DELIVERY, ...delivery },
    connection: PLAIN,
    fingerprint: '',
  };
}

/** Dead letters in a list. */
export class LetterBox implements DeadLetters {
  readonly letters: DeadLetter[] = [];

  async add(letter: Omit<DeadLetter, 'id'>): Promise<number> {
    return this.letters.push({ ...letter, id: this.letters.length + 1 });
  }
  async list(): Promise<DeadLetter[]> {
    return this.letters;
  }
  count(): number {
    return this.letters.length;
  }
  async tally(): Promise<Map<string, number>> {
    return new Map();
  }
  async remove(): Promise<number> {
    return 0;
  }
  close(): void {}
}

export interface Send {
  rules: string[];
  attempt: number;
  /** When it started, in milliseconds since the far end was made. */
  atMs: number;
  signal: Cancellation;
}

/** An output whose far end is a function; keeps every send, in order of their start. */
export class FarEnd implements Output {
  readonly sends: Send[] = [];
  /** Rules in the order of their acceptance. */
  readonly accepted: string[] = [];
  inFlight = 0;
  mostInFlight = 0;
  closed = 0;
  answer: (send: Send) => unknown;
  readonly #since = Date.now();

  constructor(answer: (send: Send) => unknown = () => {}) {
    this.answer = answer;
  }

  async send(alerts: readonly Alert[], { attempt, signal }: SendContext): Promise<void> {
    const send = {
      rules: alerts.map(alert => alert.rule),
      attempt,
      atMs: Date.now() - this.#since,
      signal,
    };
    this.sends.push(send);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    try {
      await this.answer(send);
      this.accepted.push(...send.rules);
    } finally {
      this.inFlight--;
    }
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

type Event = {
  [K in keyof DeliveryObserver]: [K, ...Parameters<DeliveryObserver[K]>];
}[keyof DeliveryObserver];

/** Keeps what a worker tells its observer. */
export function recordingObserver(): DeliveryObserver & { events: Event[]; of(kind: Event[0]): Event[] } {
  const events: Event[] = [];
  const on =
    (kind: Event[0]) =>
    (...args: unknown[]) => {
      events.push([kind, ...args] as Event);
    };
  return {
    events,
    of: kind => events.filter(([name]) => name === kind),
    tried: on('tried'),
    delivered: on('delivered'),
    retried: on('retried'),
    buried: on('buried'),
    skipped: on('skipped'),
    breaker: on('breaker'),
  };
}

/** A worker on a memory spool. Use with `vi.useFakeTimers()`. */
export function makeWorker(
  farEnd: FarEnd,
  delivery: Partial<DeliveryConfig> = {},
  options: Partial<OutputWorkerOptions> = {},
) {
  const log = recordingLogger();
  const box = new LetterBox();
  const spool = new MemorySpool(
    {
      driver: 'memory',
      path: '',
      durability: 'process',
      maxBytes: 1 << 30,
      maxAgeMs: 0,
      historyBytes: 0,
      historyAgeMs: 0,
      overflow: 'drop-oldest',
      memoryBytes: 1 << 30,
      segmentBytes: 1 << 20,
      removedMs: 0,
      deadLetters: { maxCount: 0, maxBytes: 0, maxAgeMs: 0 },
    },
    { clock: fakeClock, log, deadLetters: box },
  );
  const observer = recordingObserver();
  const make = () =>
    new OutputWorker({
      instance: instanceOf(delivery),
      accepts: () => true,
      open: async () => farEnd,
      consumer: spool.consumer('fake.one', 'beginning'),
      clock: fakeClock,
      log,
      observer,
      deadLetters: box,
      ...options,
    });
  return {
    worker: make(),
    /** Another worker on the same log, as after a restart. */
    again: make,
    spool,
    box,
    log,
    observer,
    append: (...rules: string[]) => spool.append(rules.map(alertOfRule)),
  };
}

/** Lets time pass: timers fire, promises settle. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** A failure that is worth another try. */
export const busy = () => new RetriableError('answered 503', { reason: 'server_error' });

/** A far side that always fails so. */
export const fail = (error: Error) => () => {
  throw error;
};

/** A far side that never answers. */
export const hang = () => new Promise<never>(() => {});

/** An answer that no other try will change. */
export const refused = () => new PermanentError('answered 400', { reason: 'client_error' });

/** `a0`, `a1`, ... */
export const names = (count: number, prefix = 'a') =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

export const sorted = (list: readonly string[]) => [...list].sort();
