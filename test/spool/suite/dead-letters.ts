/** What was given up. */
import { describe, expect, test } from 'vitest';
import type { DeadLetterFilter, Delivery } from '../../../src/core/spool/contract.ts';
import { numbered, numberedTo, numberOf, pullAll } from '../../support/spool.ts';
import { error, type Rig, refused } from './rig.ts';

export function deadLetters({ make, pass, clock, hourMs, drainAll, statsOf, counts, letters }: Rig): void {
  describe('dead letters', () => {
    test('keep the alert, what went wrong, and how often it was tried', async () => {
      const spool = await make();
      const consumer = spool.consumer('slack.soc');
      const alert = numbered(1, 'quote " and 🦅');
      await spool.append([alert]);
      (await pullAll(consumer, 1))[0]!.retry(0, error);
      clock.ms += 5000;
      await (await pullAll(consumer, 1))[0]!.bury(refused);
      const [letter] = await letters();
      expect(letter).toMatchObject({
        output: 'slack.soc',
        error: 'status 400',
        reason: 'client_error',
        attempts: 2,
        buriedAt: clock.ms,
      });
      expect(letter!.alert.json).toBe(alert.json);
      await statsOf(consumer).toMatchObject({ depth: 0, inFlight: 0 });
    });

    test('are listed newest first, by filter and by page', async () => {
      const spool = await make();
      const [a, b] = [spool.consumer('a'), spool.consumer('b')];
      await spool.append(numberedTo(4));
      for (const consumer of [a, b]) {
        for (const delivery of await drainAll(consumer)) {
          clock.ms += 1000;
          await delivery.bury(refused);
        }
      }
      const numbers = async (filter = {}) => (await letters(filter)).map(numberOf);
      expect(await numbers()).toEqual([4, 3, 2, 1, 4, 3, 2, 1]);
      expect(await numbers({ output: 'a' })).toEqual([4, 3, 2, 1]);
      expect(await numbers({ rule: 'rule 2' })).toEqual([2, 2]);
      expect(await numbers({ since: clock.ms - 1000 })).toEqual([4, 3]);
      expect(await numbers({ limit: 3 })).toEqual([4, 3, 2]);
      const last = (await letters({ limit: 3 })).at(-1)!;
      expect(await numbers({ limit: 3, before: last.id })).toEqual([1, 4, 3]);
      expect(await letters({ ids: [last.id] })).toEqual([last]);
      await counts(undefined, 'b', 'c').toEqual([8, 4, 0]);
    });

    test('come in pages that end with their bytes, and lead to all of them', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(
        [1, 2, 3, 4, 5].map(number => numbered(number, 'x'.repeat(number === 4 ? 9_000 : 900))),
      );
      for (const delivery of await drainAll(consumer)) await delivery.bury(refused);
      const pages = async (filter: DeadLetterFilter) => {
        const numbers: number[][] = [];
        for (let page = await letters(filter); page.length > 0; ) {
          numbers.push(page.map(numberOf));
          page = await letters({ ...filter, before: page.at(-1)!.id });
        }
        return numbers;
      };
      const ids = (await letters()).map(({ id }) => id);
      for (const filter of [{}, { output: 'a' }, { ids }, { since: 0 }]) {
        expect(await pages({ ...filter, bytes: 2_000 })).toEqual([[5, 4], [3, 2], [1]]);
        expect(await pages({ ...filter, bytes: 1 })).toEqual([[5], [4], [3], [2], [1]]);
        expect(await pages({ ...filter, limit: 4 })).toEqual([[5, 4, 3, 2], [1]]);
      }
      expect(await letters({ limit: 0 })).toEqual([]);
    });

    test('are counted by output', async () => {
      const spool = await make();
      const [a, b] = [spool.consumer('a'), spool.consumer('b')];
      await spool.append(numberedTo(3));
      for (const consumer of [a, b]) {
        for (const delivery of await drainAll(consumer)) {
          clock.ms += 1000;
          await delivery.bury(refused);
        }
      }
      const tally = async (filter: DeadLetterFilter) =>
        Object.fromEntries(await spool.deadLetters.tally(filter));
      expect(await tally({})).toEqual({ a: 3, b: 3 });
      expect(await tally({ output: 'b' })).toEqual({ b: 3 });
      expect(await tally({ output: 'c' })).toEqual({});
      expect(await tally({ rule: 'rule 2' })).toEqual({ a: 1, b: 1 });
      expect(await tally({ since: clock.ms - 1000 })).toEqual({ b: 2 });
      expect(await tally({ ids: (await letters({ limit: 4 })).map(({ id }) => id) })).toEqual({
        a: 1,
        b: 3,
      });
    });

    test('are removed by filter', async () => {
      const spool = await make();
      const [a, b] = [spool.consumer('a'), spool.consumer('b')];
      await spool.append(numberedTo(3));
      for (const consumer of [a, b])
        for (const delivery of await drainAll(consumer)) await delivery.bury(refused);
      const { deadLetters } = spool;
      const [newest] = await letters();
      expect(await deadLetters.remove({ ids: [newest!.id, 999] })).toBe(1);
      expect(await deadLetters.remove({ ids: [] })).toBe(0);
      expect(await deadLetters.remove({ rule: 'rule 1' })).toBe(2);
      await counts('a', 'b').toEqual([2, 1]);
      expect(await deadLetters.remove({ output: 'a' })).toBe(2);
      expect((await letters()).map(numberOf)).toEqual([2]);
      expect(await deadLetters.remove({})).toBe(1);
      await counts(undefined).toEqual([0]);
    });

    test('are capped: the oldest go', async () => {
      const spool = await make({ deadLetters: { maxCount: 3, maxBytes: 0, maxAgeMs: 0 } });
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(5));
      for (const delivery of await drainAll(consumer)) await delivery.bury(refused);
      expect((await letters()).map(numberOf)).toEqual([5, 4, 3]);
      await counts('a').toEqual([3]);
    });

    test('go when they are too old', async () => {
      const spool = await make({ deadLetters: { maxCount: 0, maxBytes: 0, maxAgeMs: hourMs } });
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(2));
      const [first, second] = (await pullAll(consumer, 2)) as [Delivery, Delivery];
      await first.bury(refused);
      await pass(1.1 * hourMs);
      await second.bury(refused);
      expect((await letters()).map(numberOf)).toEqual([2]);
    });
  });
}
