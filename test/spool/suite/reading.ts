/** Reading the log beside its consumers. */
import { describe, expect, test } from 'vitest';
import { logged, numbered, numberedTo, numberOf } from '../../support/spool.ts';
import type { Rig } from './rig.ts';

export function reading({ make, clock, statsOf }: Rig): void {
  describe('reading the log', () => {
    test('ranges by offset and by time, both ends included', async () => {
      const spool = await make();
      const start = clock.ms;
      for (let number = 1; number <= 6; number++) {
        clock.ms = start + number * 1000;
        await spool.append([numbered(number)]);
      }
      const { firstOffset } = spool.stats();
      expect(await logged(spool)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await logged(spool, { fromOffset: firstOffset + 3 })).toEqual([4, 5, 6]);
      expect(await logged(spool, { since: start + 3000 })).toEqual([3, 4, 5, 6]);
      expect(await logged(spool, { until: start + 3000 })).toEqual([1, 2, 3]);
      expect(await logged(spool, { since: start + 2000, until: start + 4999 })).toEqual([2, 3, 4]);
      expect(await logged(spool, { since: start + 7000 })).toEqual([]);
      expect(await logged(spool, { fromOffset: firstOffset + 100 })).toEqual([]);
    });

    test('ends where the log ended when it was asked, and disturbs no consumer', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      const entries = spool.read();
      await spool.append(numberedTo(3, 4));
      const numbers: number[] = [];
      for await (const entry of entries) {
        numbers.push(numberOf(entry));
        await spool.append([numbered(7)]);
      }
      expect(numbers).toEqual([1, 2, 3]);
      await statsOf(consumer).toMatchObject({ depth: 9, inFlight: 0 });
    });

    test('goes on behind what is dropped under its feet', async () => {
      const spool = await make({ maxBytes: 20_000, segmentBytes: 2_000 });
      const output = 'x'.repeat(1000);
      for (let number = 1; number <= 12; number++) await spool.append([numbered(number, output)]);
      const numbers: number[] = [];
      for await (const entry of spool.read()) {
        numbers.push(numberOf(entry));
        if (numbers.length > 1) continue;
        for (let number = 13; number <= 20; number++) await spool.append([numbered(number, output)]);
      }
      expect(numbers[0]).toBe(1);
      expect(numbers.at(-1)).toBe(12);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    });

    test('stats count entries, bytes and offsets', async () => {
      const spool = await make();
      expect(spool.stats()).toMatchObject({
        entries: 0,
        oldestAt: undefined,
        setAside: 0,
        fault: undefined,
        full: false,
      });
      const before = spool.stats().nextOffset;
      await spool.append(numberedTo(5));
      await expect
        .poll(() => spool.stats())
        .toMatchObject({ entries: 5, firstOffset: before, nextOffset: before + 5, oldestAt: clock.ms });
      expect(spool.stats().bytes).toBeGreaterThan(5 * numbered(1).bytes.length - 1);
    });
  });
}
