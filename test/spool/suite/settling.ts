/** What becomes of an alert that was handed out. */
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../../src/core/spool/contract.ts';
import { numbered, numberedTo, numberOf, pullAll } from '../../support/spool.ts';
import { error, forever, type Rig, refused } from './rig.ts';

export function settling({ make, clock, drainAll, statsOf, letters }: Rig): void {
  describe('settling', () => {
    test('a retry comes again with the next attempt, before new entries once it is due', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(2));
      const [first] = await pullAll(consumer, 1);
      first!.retry(0, error);
      const deliveries = await pullAll(consumer, 2);
      expect(deliveries.map(numberOf)).toEqual([1, 2]);
      expect(deliveries.map(({ attempt }) => attempt)).toEqual([2, 1]);
    });

    test('a retry that is not due lets others pass, and wakes a waiting pull when it is', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(2));
      const [first] = await pullAll(consumer, 1);
      first!.retry(30, error);
      expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([2]);
      expect((await consumer.pull(10, forever)).map(numberOf)).toEqual([1]);
    });

    test('hasten makes every retry due, the oldest first', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(4));
      const taken = await pullAll(consumer, 3);
      for (const [index, delivery] of taken.entries()) delivery.retry(3_600_000 - index, error);
      expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([4]);
      expect(consumer.take(10)).toEqual([]);
      const pulled = consumer.pull(10, forever);
      consumer.hasten();
      expect((await pulled).map(numberOf)).toEqual([1, 2, 3]);
    });

    test('hasten makes the next retry due, and no other', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      const taken = await pullAll(consumer, 3);
      for (const [index, delivery] of taken.entries()) delivery.retry(3_600_000 - index * 60_000, error);
      const pulled = consumer.pull(10, forever);
      consumer.hasten('next');
      consumer.hasten('next');
      expect((await pulled).map(numberOf)).toEqual([3]);
      expect(consumer.take(10)).toEqual([]);
    });

    test('new ones can be had past the retries that are due', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      const [first] = await pullAll(consumer, 1);
      first!.retry(0, error);
      await expect.poll(() => consumer.take(1, 'new').map(numberOf)).toEqual([2]);
      expect((await consumer.pull(1, forever)).map(numberOf)).toEqual([1]);
    });

    test('only the first settlement counts', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      const [first, second, third] = (await pullAll(consumer, 3)) as [Delivery, Delivery, Delivery];
      first.ack();
      first.retry(0, error);
      await first.bury(refused);
      second.retry(0, error);
      second.ack();
      await third.bury(refused);
      third.ack();
      third.retry(0, error);
      await expect.poll(() => spool.deadLetters.count()).toBe(1);
      expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([2]);
      expect(consumer.take(10)).toEqual([]);
      await statsOf(consumer).toMatchObject({ depth: 1, inFlight: 1, waiting: 0 });
    });

    test('stats tell what is in flight, waiting and unread, and since when', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await statsOf(consumer).toEqual({
        depth: 0,
        inFlight: 0,
        waiting: 0,
        oldestAt: undefined,
        dropped: 0,
      });
      const start = clock.ms;
      for (let number = 1; number <= 4; number++) {
        clock.ms = start + number;
        await spool.append([numbered(number)]);
      }
      const [first, second, third] = (await pullAll(consumer, 3)) as [Delivery, Delivery, Delivery];
      second.retry(3_600_000, error);
      await statsOf(consumer).toMatchObject({ depth: 4, inFlight: 2, waiting: 1, oldestAt: start + 1 });
      first.ack();
      await statsOf(consumer).toMatchObject({ depth: 3, inFlight: 1, waiting: 1, oldestAt: start + 2 });
      third.ack();
      consumer.hasten();
      (await pullAll(consumer, 1))[0]!.ack();
      await statsOf(consumer).toMatchObject({ depth: 1, inFlight: 0, waiting: 0, oldestAt: start + 4 });
    });

    test('what a closed consumer left goes to the next of its name, with the attempts counted on', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(5));
      const [first, second, third] = (await pullAll(consumer, 4)) as [Delivery, Delivery, Delivery];
      second.retry(3_600_000, error);
      consumer.close();
      first.ack();
      third.retry(0, error);
      const next = spool.consumer('a');
      await statsOf(next).toMatchObject({ depth: 4, inFlight: 0, waiting: 0 });
      const deliveries = await drainAll(next);
      expect(deliveries.map(numberOf)).toEqual([2, 3, 4, 5]);
      expect(deliveries.map(({ attempt }) => attempt)).toEqual([2, 2, 2, 1]);
      third.ack();
      await statsOf(next).toMatchObject({ depth: 4 });
    });

    test('a poisoned alert at the head does not hold up those behind (F11)', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      await (await pullAll(consumer, 1))[0]!.bury(refused);
      for (const delivery of await drainAll(consumer)) delivery.ack();
      await statsOf(consumer).toMatchObject({ depth: 0 });
      expect((await letters()).map(numberOf)).toEqual([1]);
    });

    test('after an outage everything comes, in order, exactly once (F8)', async () => {
      const spool = await make();
      const consumer = spool.consumer('a');
      const numbers: number[] = [];
      for (let number = 1; number <= 50; number++) {
        await spool.append([numbered(number)]);
        numbers.push(number);
        if (number > 8) continue;
        for (const delivery of await pullAll(consumer, 1)) delivery.retry(3_600_000, error);
      }
      consumer.hasten();
      const delivered: number[] = [];
      while (delivered.length < numbers.length) {
        for (const delivery of await consumer.pull(8, forever)) {
          delivered.push(numberOf(delivery));
          delivery.ack();
        }
      }
      expect(delivered).toEqual(numbers);
      await statsOf(consumer).toMatchObject({ depth: 0 });
    });
  });
}
