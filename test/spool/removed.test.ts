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
  let log: ReturnType<typeof recordingLogger>;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'tiercel-removed-'));
    now = Date.parse('2026-01-31T12:00:00Z');
    log = recordingLogger();
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const open = (config: Partial<SpoolConfig> = {}) =>
    openSpool(
      { ...SPOOL, driver, path, removedMs: HOUR_MS, historyBytes: 0, historyAgeMs: 0, ...config },
      { clock: { ...realClock, now: () => now }, log },
    );

  const told = () =>
    log.lines.flatMap(({ fields: { output, alerts } }) => (output ? [[output, alerts]] : []));

  async function restart(spool: Spool): Promise<Spool> {
    if (driver === 'memory') return spool;
    await spool.close();
    return open();
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
});
