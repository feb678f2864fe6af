/** Spools for tests: configurations, alerts by number, and ways to read a spool out. */
import { type Alert, sealAlert } from '../../src/core/alert/alert.ts';
import type { SpoolConfig } from '../../src/core/config/types.ts';
import type { Clock } from '../../src/core/contract.ts';
import type { Consumer, Delivery, Spool } from '../../src/core/spool/contract.ts';
import { type DiskDeps, openDiskSpool } from '../../src/core/spool/open.ts';
import { draftOf } from './drafts.ts';
import { recordingLogger } from './logger.ts';
import type { MemoryFiles } from './memory-files.ts';

export const SPOOL: SpoolConfig = {
  driver: 'memory',
  path: '/nowhere',
  durability: 'process',
  maxBytes: 64 * 1024 * 1024,
  maxAgeMs: 0,
  historyBytes: 64 * 1024 * 1024,
  historyAgeMs: 3_600_000,
  overflow: 'drop-oldest',
  memoryBytes: 64 * 1024 * 1024,
  segmentBytes: 1024 * 1024,
  removedMs: 3_600_000,
  deadLetters: { maxCount: 1000, maxBytes: 0, maxAgeMs: 0 },
};

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => 0.5,
};

/** The alert of a number: its rule is `rule <number>`. */
export function numbered(number: number, output = ''): Alert {
  return sealAlert(draftOf({ rule: `rule ${number}`, output }));
}

export function numberedTo(count: number, from = 1): Alert[] {
  return Array.from({ length: count }, (_, index) => numbered(from + index));
}

/** The number of an alert that `numbered` made. */
export function numberOf({ alert }: { alert: Alert }): number {
  return Number(alert.rule.slice('rule '.length));
}

/** Waits for so many deliveries. */
export async function pullAll(consumer: Consumer, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  const signal = new AbortController().signal;
  while (deliveries.length < count) {
    const found = await consumer.pull(count - deliveries.length, signal);
    // A consumer that has been closed gives nothing, and at once: asking on would never let go of the thread.
    if (found.length === 0) throw new Error('the consumer was closed before everything had come');
    deliveries.push(...found);
  }
  return deliveries;
}

/**
 * All that a consumer can be handed now: pulls until nothing more comes.
 * @param quietMs how long nothing comes when there is nothing left; 0: the consumer's own stats are exact
 */
export async function drain(consumer: Consumer, quietMs = 0): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  for (;;) {
    const { depth, inFlight, waiting } = consumer.stats();
    if (quietMs === 0 && depth - inFlight - waiting <= 0) return deliveries;
    const stop = new AbortController();
    // What is counted may turn out to be unreadable; a consumer with nothing left would wait for ever.
    const timer = setTimeout(() => stop.abort(), quietMs || 500);
    const found = await consumer.pull(1000, stop.signal);
    clearTimeout(timer);
    if (found.length === 0) return deliveries;
    deliveries.push(...found);
  }
}

/** The numbers of the alerts in the log, oldest first. */
export async function logged(spool: Spool, range = {}): Promise<number[]> {
  const numbers: number[] = [];
  for await (const entry of spool.read(range)) numbers.push(numberOf(entry));
  return numbers;
}

/** A disk spool on files in memory, nobody else near. */
export function openOn(
  files: MemoryFiles,
  config: Partial<SpoolConfig> = {},
  deps: Partial<DiskDeps> = {},
): Promise<Spool> {
  const lock = async () => ({ release: () => {} });
  return openDiskSpool(
    { ...SPOOL, driver: 'disk', ...config },
    { clock: realClock, log: recordingLogger(), files, lock, ...deps },
  );
}
