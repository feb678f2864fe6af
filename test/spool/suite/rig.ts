/** The spool of the test that is running, and its clock. */
import { expect } from 'vitest';
import type { SpoolConfig } from '../../../src/core/config/types.ts';
import type { Clock } from '../../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import type { Consumer, DeadLetterFilter, Spool } from '../../../src/core/spool/contract.ts';
import { drain } from '../../support/spool.ts';

export const error = new RetriableError('not now', { reason: 'server_error' });
export const refused = new PermanentError('status 400', { reason: 'client_error' });
export const forever = new AbortController().signal;

/** Where the log of a driver is, as far as a test has to know. */
export interface Place {
  /** Milliseconds that stand for an hour. 3,600,000 for a driver whose only clock is ours. */
  hourMs?: number;
  /** The time on the clock that is not ours alone, in milliseconds since the epoch. */
  startAt?(): number;
  /** Lets so many milliseconds pass where the clock is not ours alone. */
  pass?(ms: number): Promise<void>;
  /** How long nothing comes when nothing is left, where counts arrive behind the alerts; 0: they are exact. */
  quietMs?: number;
}

/** Opens a new, empty spool that goes by such a clock. */
export type Open = (
  overrides: Partial<SpoolConfig>,
  clock: Pick<Clock, 'now' | 'monotonic'>,
) => Promise<Spool>;

export type Rig = ReturnType<typeof createRig>;

export function createRig(open: Open, place: Place) {
  const { hourMs = 3_600_000, quietMs = 0 } = place;
  const clock = { ms: 0 };
  let spool: Spool;

  return {
    hourMs,
    quietMs,
    /** Tests may move it. */
    clock,
    /** The spool of this test. */
    async make(overrides: Partial<SpoolConfig> = {}): Promise<Spool> {
      clock.ms = place.startAt?.() ?? Date.parse('2026-01-31T12:00:00Z');
      spool = await open(overrides, { now: () => clock.ms, monotonic: () => clock.ms });
      return spool;
    },
    async pass(ms: number): Promise<void> {
      await place.pass?.(ms);
      clock.ms = place.startAt?.() ?? clock.ms + ms;
    },
    close: () => spool.close(),
    drainAll: (consumer: Consumer) => drain(consumer, quietMs),
    /** What a consumer counts, once it does. */
    statsOf: (consumer: Consumer) => expect.poll(() => consumer.stats()),
    counts: (...outputs: (string | undefined)[]) =>
      expect.poll(() => outputs.map(output => spool.deadLetters.count(output))),
    letters: (filter?: DeadLetterFilter) => spool.deadLetters.list(filter),
  };
}
