/** What a consumer is handed, and when. */
import { describe, expect, test } from 'vitest';
import type { Delivery, Start } from '../../../src/core/spool/contract.ts';
import { numbered, numberedTo, numberOf, pullAll } from '../../support/spool.ts';
import { error, forever, type Rig } from './rig.ts';

export function handingOut({ make, clock, drainAll, statsOf }: Rig): void {
  describe('handing out', () => {
    test('entries come in the order of appending, each once', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await Promise.all([spool.append(numberedTo(3)), spool.append([numbered(4)]), spool.append([])]);
      await spool.append(numberedTo(6, 5));
      const deliveries = await pullAll(consumer, 10);
      expect(deliveries.map(numberOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(deliveries.map(({ offset }) => offset - deliveries[0]!.offset)).toEqual([...Array(10).keys()]);
      expect(deliveries.every(({ attempt, appendedAt }) => attempt === 1 && appendedAt === clock.ms)).toBe(
        true,
      );
      expect(consumer.take(10)).toEqual([]);
    });

    test('an alert comes out as it went in', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      const alert = numbered(1, 'quote " and 🦅 and \u0000');
      await spool.append([alert]);
      const [delivery] = await pullAll(consumer, 1);
      expect(delivery!.alert.json).toBe(alert.json);
      expect(delivery!.alert.uuid).toBe(alert.uuid);
    });

    test('at most `max` deliveries at a time', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(5));
      expect((await consumer.pull(2, forever)).map(numberOf)).toEqual([1, 2]);
      expect((await pullAll(consumer, 2)).map(numberOf)).toEqual([3, 4]);
      expect(await consumer.pull(0, forever)).toEqual([]);
      expect(consumer.take(0)).toEqual([]);
    });

    test('no more once they come to so many bytes, retries among them; one at least', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(5));
      expect((await consumer.pull(9, forever, 1)).map(numberOf)).toEqual([1]);
      const { length } = numbered(1).bytes;
      const taken: Delivery[] = [];
      await expect.poll(() => taken.push(...consumer.take(1))).toBe(1);
      await expect.poll(() => taken.push(...consumer.take(2, undefined, length + 1))).toBe(3);
      expect(taken.map(numberOf)).toEqual([2, 3, 4]);
      for (const delivery of taken) delivery.retry(0, error);
      expect((await consumer.pull(9, forever, 2 * length)).map(numberOf)).toEqual([2, 3]);
      expect((await consumer.pull(9, forever, 2 * length)).map(numberOf)).toEqual([4, 5]);
    });

    test('pull waits for an alert', async () => {
      const spool = await make();
      const pulled = spool.consumer('a').pull(10, forever);
      await spool.append([numbered(1)]);
      expect((await pulled).map(numberOf)).toEqual([1]);
    });

    test('pull ends with nothing when its signal aborts, before or while it waits', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      expect(await consumer.pull(1, AbortSignal.abort())).toEqual([]);
      const stop = new AbortController();
      const pulled = consumer.pull(1, stop.signal);
      const other = consumer.pull(1, forever);
      stop.abort();
      expect(await pulled).toEqual([]);
      await spool.append([numbered(1)]);
      expect((await other).map(numberOf)).toEqual([1]);
    });

    test('pull ends with nothing when the consumer or the spool closes', async () => {
      const spool = await make();
      const first = spool.consumer('a');
      const second = spool.consumer('b');
      const pulls = [first.pull(1, forever), second.pull(1, forever)];
      first.close();
      expect(await pulls[0]).toEqual([]);
      await spool.close();
      expect(await pulls[1]).toEqual([]);
      expect(await second.pull(1, forever)).toEqual([]);
      expect(second.take(1)).toEqual([]);
      await expect(spool.append([numbered(1)])).rejects.toThrow('closed');
    });

    test('consumers do not see each other', async () => {
      const spool = await make();
      const [a, b] = [spool.consumer('a'), spool.consumer('b')];
      await spool.append(numberedTo(3));
      for (const delivery of await pullAll(a, 3)) delivery.ack();
      await statsOf(a).toMatchObject({ depth: 0 });
      await statsOf(b).toMatchObject({ depth: 3 });
      expect((await pullAll(b, 3)).map(numberOf)).toEqual([1, 2, 3]);
    });

    test('a name has one consumer at a time', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      expect(() => spool.consumer('a')).toThrow('open already');
      consumer.close();
      spool.consumer('a').close();
    });

    test.each<[Start | undefined, number[]]>([
      ['now', [3]],
      [undefined, [3]],
      ['beginning', [1, 2, 3]],
    ])('a new consumer that starts at %s', async (start, expected) => {
      const spool = await make();
      spool.consumer('other');
      await spool.append(numberedTo(2));
      const consumer = spool.consumer('a', start);
      await spool.append([numbered(3)]);
      expect((await drainAll(consumer)).map(numberOf)).toEqual(expected);
    });
  });
}
