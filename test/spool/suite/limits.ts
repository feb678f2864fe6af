/** What goes, and what is refused, when there is too much. */
import { describe, expect, test, vi } from 'vitest';
import { type ConsumerStats, type Delivery, SpoolFullError } from '../../../src/core/spool/contract.ts';
import { logged, numbered, numberedTo, numberOf, pullAll } from '../../support/spool.ts';
import { error, forever, type Rig } from './rig.ts';

/** Whether nothing has gone missing between what is there and what was dropped. */
const adds = (total: number) => (stats: ConsumerStats) => stats.depth + stats.dropped === total;

export function limits({ make, pass, hourMs, drainAll, statsOf }: Rig): void {
  describe('limits', () => {
    const output = 'x'.repeat(1000);
    const small = { maxBytes: 20_000, memoryBytes: 1_000_000, segmentBytes: 4_000 };

    test('drop-oldest makes room: who has not read loses the oldest, and is told how many', async () => {
      const spool = await make({ ...small, historyBytes: 0 });
      const slow = spool.consumer('slow');
      const quick = spool.consumer('quick');
      for (let number = 1; number <= 100; number++) {
        await spool.append([numbered(number, output)]);
        for (const delivery of await pullAll(quick, 1)) delivery.ack();
      }
      await expect.poll(() => spool.stats().bytes).toBeLessThanOrEqual(small.maxBytes);
      await statsOf(quick).toMatchObject({ depth: 0, dropped: 0 });
      await statsOf(slow).toSatisfy(adds(100));
      const { depth, dropped } = slow.stats();
      expect(depth).toBeGreaterThan(3);
      expect((await drainAll(slow)).map(numberOf)).toEqual(
        Array.from({ length: depth }, (_, i) => dropped + 1 + i),
      );
    });

    test('who reads on at once after a drop is told how many as well', async () => {
      const spool = await make({ ...small, historyBytes: 0 });
      const consumer = spool.consumer('a');
      await spool.append([numbered(1)]);
      await statsOf(consumer).toSatisfy(adds(1));
      for (let number = 2; number <= 60; number++) await spool.append([numbered(number, output)]);
      const deliveries = await pullAll(consumer, 1);
      expect(numberOf(deliveries[0]!)).toBeGreaterThan(30);
      await statsOf(consumer).toSatisfy(adds(60));
    });

    test('what is in flight or waits for a retry is not dropped with the rest', async () => {
      const spool = await make(small);
      const consumer = spool.consumer('a');
      await spool.append([numbered(1, output), numbered(2, output)]);
      const [first, second] = (await pullAll(consumer, 2)) as [Delivery, Delivery];
      second.retry(3_600_000, error);
      for (let number = 3; number <= 60; number++) await spool.append([numbered(number, output)]);
      await expect.poll(() => spool.stats().firstOffset).toBeGreaterThan(second.offset);
      consumer.hasten();
      const [again] = await pullAll(consumer, 1);
      expect(again!.alert.rule).toBe('rule 2');
      again!.ack();
      first.ack();
      await statsOf(consumer).toSatisfy(adds(58));
      const { depth } = consumer.stats();
      expect((await drainAll(consumer)).length).toBe(depth);
    });

    test('reject refuses whole appends, and takes them again when there is room', async () => {
      const spool = await make({ ...small, overflow: 'reject', historyBytes: 0 });
      const consumer = spool.consumer('a');
      let taken = 0;
      const append = async () => spool.append([numbered(taken + 1, output)]);
      const full = () => spool.stats().full;
      for (; taken < 100; taken++) {
        const outcome = await append().catch((thrown: unknown) => thrown);
        if (outcome) {
          expect(outcome).toBeInstanceOf(SpoolFullError);
          break;
        }
      }
      expect(taken).toBeGreaterThan(3);
      expect(taken).toBeLessThan(30);
      expect(full()).toBe(true);
      const deliveries = await drainAll(consumer);
      expect(deliveries.map(numberOf)).toEqual(Array.from({ length: taken }, (_, index) => index + 1));
      await expect(append()).rejects.toThrow(SpoolFullError);
      expect(full()).toBe(true);
      for (const delivery of deliveries) delivery.ack();
      // Nobody has to append for that: a balancer may not send any until it holds.
      await expect.poll(full, { timeout: 30_000 }).toBe(false);
      // Where the log is elsewhere, it learns of the acks a moment later.
      await vi.waitFor(append, { timeout: 30_000 });
      expect((await drainAll(consumer)).map(numberOf)).toEqual([taken + 1]);
      await statsOf(consumer).toMatchObject({ dropped: 0 });
    });

    test('many appends at once are refused as one by one', async () => {
      const spool = await make({ ...small, overflow: 'reject' });
      spool.consumer('a');
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, (_, index) => spool.append([numbered(index + 1, output)])),
      );
      const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
      expect(taken).toBeGreaterThan(3);
      expect(await logged(spool)).toEqual(Array.from({ length: taken }, (_, index) => index + 1));
      await expect.poll(() => spool.stats().bytes).toBeLessThanOrEqual(small.maxBytes + 1000);
    });

    test('alerts that are too old are dropped, read or not', async () => {
      const spool = await make({ segmentBytes: 1, maxAgeMs: hourMs });
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(2));
      await pass(0.8 * hourMs);
      await spool.append([numbered(3)]);
      await pass(0.3 * hourMs);
      await spool.trim();
      await statsOf(consumer).toMatchObject({ depth: 1, dropped: 2 });
      expect((await drainAll(consumer)).map(numberOf)).toEqual([3]);
    });

    test('history goes by age, what is unread stays', async () => {
      const spool = await make({ segmentBytes: 1, historyAgeMs: hourMs });
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(4));
      for (const delivery of await pullAll(consumer, 2)) delivery.ack();
      await statsOf(consumer).toMatchObject({ depth: 2 });
      await spool.trim();
      expect(await logged(spool)).toEqual([1, 2, 3, 4]);
      await pass(1.1 * hourMs);
      await spool.trim();
      expect(await logged(spool)).toEqual([3, 4]);
      expect((await drainAll(consumer)).map(numberOf)).toEqual([3, 4]);
    });

    test('history goes by size, what is unread stays', async () => {
      const spool = await make({ segmentBytes: 1, historyBytes: 3_000 });
      const consumer = spool.consumer('a');
      for (let number = 1; number <= 10; number++) await spool.append([numbered(number, output)]);
      for (const delivery of await pullAll(consumer, 8)) delivery.ack();
      // Where the log is elsewhere, it learns of the acks a moment later.
      const left = () => spool.trim().then(() => logged(spool));
      await expect.poll(left).toEqual([7, 8, 9, 10]);
      await statsOf(consumer).toMatchObject({ depth: 2, dropped: 0 });
    });

    test('a removed consumer is forgotten after a while, and holds nothing back then', async () => {
      const removedMs = hourMs / 60;
      const spool = await make({ segmentBytes: 1, historyBytes: 0, historyAgeMs: 0, removedMs });
      const [gone, kept] = [spool.consumer('gone'), spool.consumer('kept')];
      await spool.append(numberedTo(3));
      for (const delivery of await drainAll(kept)) delivery.ack();
      await pass(1);
      await spool.trim();
      expect(await logged(spool)).toEqual([1, 2, 3]);
      const pulled = await pullAll(gone, 1);
      spool.retain(['kept', 'never seen']);
      await pass(removedMs);
      const left = () => spool.trim().then(() => logged(spool));
      await expect.poll(left).toEqual([]);
      expect(pulled).toHaveLength(1);
      expect(await gone.pull(1, forever)).toEqual([]);
      await statsOf(spool.consumer('gone')).toMatchObject({ depth: 0 });
    });
  });
}
