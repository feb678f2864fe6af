/** A log that is written by a clock that jumps. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SpoolConfig } from '../../src/core/config/types.ts';
import { openMemorySpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { logged, numbered, openOn, realClock, SPOOL } from '../support/spool.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const START = Date.parse('2026-01-31T12:00:00Z');

test('a clock that was two hours ahead for a while hides nothing of what came after', async () => {
  let now = START + 2 * HOUR_MS;
  const spool = await openOn(new MemoryFiles(), {}, { clock: { ...realClock, now: () => now } });
  await spool.append([numbered(1)]);
  now = START;
  for (let number = 2; number <= 6; number++) {
    now += 1000;
    await spool.append([numbered(number)]);
  }
  expect(await logged(spool, { since: now - HOUR_MS, until: now })).toEqual([2, 3, 4, 5, 6]);
  expect(await logged(spool, { since: START + HOUR_MS })).toEqual([1]);
  await spool.close();
});

test('alerts of before a large step back are found by their time, also after a restart', async () => {
  let now = START;
  const files = new MemoryFiles();
  const deps = { clock: { ...realClock, now: () => now } };
  let spool = await openOn(files, {}, deps);
  await spool.append([numbered(1)]);
  now += 10 * MINUTE_MS;
  await spool.append([numbered(2)]);
  now = START - 3 * HOUR_MS;
  await spool.append([numbered(3)]);
  await spool.close();
  spool = await openOn(files, {}, deps);
  expect(await logged(spool, { since: START, until: START + HOUR_MS })).toEqual([1, 2]);
  expect(await logged(spool, { until: START - HOUR_MS })).toEqual([3]);
  await spool.close();
});

test.each(['disk', 'memory'] as const)(
  'a clock that is set after the start makes no alert too old: %s',
  async driver => {
    let now = 1000;
    let monotonic = 0;
    const log = recordingLogger();
    const deps = { clock: { ...realClock, now: () => now, monotonic: () => monotonic }, log };
    const config = { maxAgeMs: HOUR_MS, memoryBytes: 1 << 20, driver };
    const spool = await (driver === 'disk'
      ? openOn(new MemoryFiles(), config, deps)
      : Promise.resolve(openMemorySpool({ ...SPOOL, ...config }, deps)));
    const consumer = spool.consumer('a');
    const pass = (ms: number) => {
      now += ms;
      monotonic += ms;
    };
    await spool.append([numbered(1)]);
    pass(MINUTE_MS);
    now = START;
    await spool.trim();
    await spool.append([numbered(2)]);
    expect(consumer.stats()).toMatchObject({ depth: 2, dropped: 0 });
    pass(58 * MINUTE_MS);
    await spool.trim();
    expect(consumer.stats()).toMatchObject({ depth: 2, dropped: 0 });
    pass(10 * MINUTE_MS);
    await spool.trim();
    expect(consumer.stats()).toMatchObject({ depth: 0, dropped: 2 });
    await spool.close();
  },
);

const appends = fc.array(
  fc.record({
    stepMs: fc.oneof(
      fc.integer({ min: 0, max: 30 * MINUTE_MS }),
      fc.integer({ min: -5 * HOUR_MS, max: 5 * HOUR_MS }),
    ),
    fails: fc.boolean(),
    restarts: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
);
const range = fc.record(
  {
    since: fc.integer({ min: -10 * HOUR_MS, max: 10 * HOUR_MS }),
    until: fc.integer({ min: -10 * HOUR_MS, max: 10 * HOUR_MS }),
  },
  { requiredKeys: [] },
);

async function hasAll(
  config: Partial<SpoolConfig>,
  steps: { stepMs: number; fails: boolean; restarts: boolean }[],
  { since, until }: { since?: number; until?: number },
): Promise<void> {
  let now = START;
  const files = new MemoryFiles();
  const deps = { clock: { ...realClock, now: () => now }, log: recordingLogger() };
  const open = async () =>
    config.driver === 'memory' ? openMemorySpool(SPOOL, deps) : openOn(files, config, deps);
  let spool = await open();
  spool.consumer('keeps');
  let number = 0;
  for (const { stepMs, fails, restarts } of steps) {
    now += stepMs;
    if (restarts && config.driver !== 'memory') {
      await spool.close();
      spool = await open();
    }
    // What the disk refuses is written with what comes next, in one go.
    files.refuse = operation => (fails && operation === 'write' ? new Error('refused') : undefined);
    await spool.append([numbered(++number)])?.catch(() => undefined);
    files.refuse = () => undefined;
  }
  const wanted = {
    ...(since !== undefined && { since: START + since }),
    ...(until !== undefined && { until: START + until }),
  };
  const found: number[] = [];
  for await (const { offset, appendedAt } of spool.read()) {
    if (appendedAt >= (wanted.since ?? 0) && appendedAt <= (wanted.until ?? Infinity)) found.push(offset);
  }
  const numbers: number[] = [];
  for await (const { offset } of spool.read(wanted)) numbers.push(offset);
  expect(numbers).toEqual(found);
  await spool.close();
}

test.each<Partial<SpoolConfig>>([
  { driver: 'disk', memoryBytes: 1 },
  { driver: 'disk', historyAgeMs: 240 * HOUR_MS },
  { driver: 'memory' },
])('a range is all that has such times, whatever the clock did: %j', async config => {
  await fc.assert(
    fc.asyncProperty(appends, range, (steps, wanted) => hasAll(config, steps, wanted)),
    { numRuns: 60 },
  );
});

test('what lies outside of the range is not read', async () => {
  let now = START;
  const files = new MemoryFiles();
  const deps = { clock: { ...realClock, now: () => now } };
  let spool = await openOn(files, { historyAgeMs: 240 * HOUR_MS }, deps);
  spool.consumer('keeps');
  for (let number = 1; number <= 100; number++) {
    now += 30 * MINUTE_MS;
    await spool.append([numbered(number)]);
  }
  await spool.close();
  spool = await openOn(files, { historyAgeMs: 240 * HOUR_MS }, deps);
  let reads = 0;
  files.refuse = operation => {
    if (operation === 'open') reads++;
    return undefined;
  };
  expect(await logged(spool, { since: now - 25 * HOUR_MS, until: now - 24 * HOUR_MS })).toEqual([50, 51, 52]);
  expect(reads).toBeLessThan(6);
  await spool.close();
});
