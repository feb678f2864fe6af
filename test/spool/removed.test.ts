/** Outputs that are removed and come back, over restarts and with a full log. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SpoolConfig } from '../../src/core/config/types.ts';
import type { Spool } from '../../src/core/spool/contract.ts';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { drain, numbered, numberedTo, numberOf, pullAll, realClock, SPOOL } from '../support/spool.ts';

const HOUR_MS = 3_600_000;

describe.each(['disk', 'memory'] as const)('removed outputs: %s', driver => {
  let path: string;
  let now: number;
  /** By how much the wall clock has been set forward. */
  let jumped: number;
  let log: ReturnType<typeof recordingLogger>;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'tiercel-removed-'));
    now = Date.parse('2026-01-31T12:00:00Z');
    jumped = 0;
    log = recordingLogger();
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const open = (config: Partial<SpoolConfig> = {}) =>
    openSpool(
      { ...SPOOL, driver, path, removedMs: HOUR_MS, historyBytes: 0, historyAgeMs: 0, ...config },
      { clock: { ...realClock, now: () => now, monotonic: () => now - jumped }, log },
    );

  const told = () =>
    log.lines.flatMap(({ fields: { output, alerts } }) => (output ? [[output, alerts]] : []));

  async function restart(spool: Spool, config: Partial<SpoolConfig> = {}): Promise<Spool> {
    if (driver === 'memory') return spool;
    await spool.close();
    return open(config);
  }

  test('what it has not sent waits for it through restarts', async () => {
    let spool = await open();
    const early = spool.consumer('back');
    await spool.append(numberedTo(3));
    const [first] = await pullAll(early, 2);
    first!.ack();
    spool = await restart(spool);
    spool.retain([]);
    await spool.append([numbered(4)]);
    spool = await restart(spool);
    spool.retain([]);
    now += HOUR_MS - 1;
    spool = await restart(spool);
    await spool.trim();
    expect((await drain(spool.consumer('back'))).map(numberOf)).toEqual([2, 3, 4]);
    expect(told()).toEqual([['back', 2]]);
    await spool.close();
  });

  test('it is forgotten when its time is over, and starts like a new one', async () => {
    let spool = await open();
    spool.consumer('gone');
    await spool.append(numberedTo(3));
    spool.retain([]);
    now += HOUR_MS;
    spool = await restart(spool);
    await spool.trim();
    expect(spool.stats().entries).toBeLessThanOrEqual(3);
    const again = spool.consumer('gone');
    await spool.append([numbered(4)]);
    expect((await drain(again)).map(numberOf)).toEqual([4]);
    expect(told()).toEqual([
      ['gone', 3],
      ['gone', 3],
    ]);
    await spool.close();
  });

  test('its place is kept for its time, however the clock is set meanwhile', async () => {
    const spool = await open();
    spool.consumer('back');
    await spool.append([numbered(1)]);
    spool.retain([]);
    now += 48 * HOUR_MS;
    jumped += 48 * HOUR_MS;
    await spool.trim();
    expect((await drain(spool.consumer('back'))).map(numberOf)).toEqual([1]);
    spool.retain([]);
    now += HOUR_MS;
    await spool.trim();
    expect(told().at(-1)).toEqual(['back', 1]);
    await spool.close();
  });

  test('with overflow: reject it has no alert refused, and goes on behind what had to go', async () => {
    const spool = await open({ overflow: 'reject', maxBytes: 20_000, segmentBytes: 2_500 });
    const [gone, kept] = [spool.consumer('gone'), spool.consumer('kept')];
    await spool.append(numberedTo(5));
    expect(gone.stats().depth).toBe(5);
    spool.retain(['kept']);
    for (let number = 6; number <= 200; number++) {
      await spool.append([numbered(number)]);
      for (const delivery of kept.take(10)) delivery.ack();
    }
    const back = spool.consumer('gone');
    const numbers = (await drain(back)).map(numberOf);
    expect(numbers.at(-1)).toBe(200);
    expect(numbers.length + back.stats().dropped).toBe(200);
    await spool.close();
  });

  /** What was told of alerts that were dropped, all warnings together. */
  const droppedOf = (output: string) =>
    log.lines
      .map(({ fields }) => (fields.dropped as Record<string, number> | undefined)?.[output] ?? 0)
      .reduce((sum, count) => sum + count, 0);

  const SMALL = { maxBytes: 20_000, segmentBytes: 2_500 };

  test('what a full log drops meanwhile is counted and told, over restarts too', async () => {
    let spool = await open(SMALL);
    const gone = spool.consumer('gone');
    await spool.append([numbered(1)]);
    await pullAll(gone, 1);
    spool.retain([]);
    for (let number = 2; number <= 200; number++) await spool.append([numbered(number)]);
    expect(log.lines.filter(({ level }) => level === 'warn')).toContainEqual(
      expect.objectContaining({ fields: { dropped: { gone: expect.any(Number) } } }),
    );
    spool = await restart(spool);
    const back = spool.consumer('gone');
    const { dropped, depth } = back.stats();
    expect(depth).toBeGreaterThan(0);
    expect(dropped).toBe(200 - depth);
    expect((await drain(back)).map(numberOf).at(-1)).toBe(200);
    expect(log.lines.at(-1)!.fields).toEqual({ output: 'gone', dropped });
    await spool.close();
    expect(droppedOf('gone')).toBe(dropped);
  });

  test('what was dropped counts when the place is given up', async () => {
    let spool = await open(SMALL);
    spool.consumer('gone');
    spool.retain([]);
    for (let number = 1; number <= 200; number++) await spool.append([numbered(number)]);
    now += HOUR_MS;
    spool = await restart(spool);
    await spool.trim();
    expect(told().at(-1)).toEqual(['gone', 200]);
    await spool.close();
  });

  test('what was in hands and has left the log is told of when nobody holds it any more', async () => {
    let spool = await open(SMALL);
    const consumer = spool.consumer('slow');
    await spool.append(numberedTo(5));
    for (const delivery of await pullAll(consumer, 5)) delivery.retry(60_000, new Error('busy'));
    for (let number = 6; number <= 200; number++) await spool.append([numbered(number)]);
    const before = consumer.stats();
    expect(before.waiting).toBe(5);
    spool = await restart(spool);
    consumer.close();
    const numbers = (await drain(spool.consumer('slow'))).map(numberOf);
    expect(numbers).toHaveLength(before.depth - 5);
    await spool.close();
    expect(droppedOf('slow')).toBe(before.dropped + 5);
  });

  test('so is what was in hands before a restart and leaves the log before it is read again', async () => {
    let spool = await open(SMALL);
    const consumer = spool.consumer('slow');
    await spool.append(numberedTo(5));
    await pullAll(consumer, 5);
    spool = await restart(spool, SMALL);
    consumer.close();
    const again = spool.consumer('slow');
    for (let number = 6; number <= 400; number++) await spool.append([numbered(number)]);
    const numbers = (await drain(again)).map(numberOf);
    expect(numbers.at(-1)).toBe(400);
    expect(again.stats().dropped).toBe(400 - numbers.length);
    await spool.close();
    expect(droppedOf('slow')).toBe(400 - numbers.length);
  });
});
