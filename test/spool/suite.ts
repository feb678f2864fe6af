/** What every driver has to do, whatever it keeps its log in. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { SpoolConfig } from '../../src/core/config/types.ts';
import type { Clock } from '../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../src/core/errors.ts';
import {
  AlertTooLargeError,
  type Consumer,
  type ConsumerStats,
  type DeadLetterFilter,
  type Delivery,
  type Spool,
  SpoolFullError,
  type Start,
} from '../../src/core/spool/contract.ts';
import { drain, logged, numbered, numberedTo, numberOf, pullAll } from '../support/spool.ts';

const error = new RetriableError('not now', { reason: 'server_error' });
const refused = new PermanentError('status 400', { reason: 'client_error' });
const forever = new AbortController().signal;

/** Whether nothing has gone missing between what is there and what was dropped. */
const adds = (total: number) => (stats: ConsumerStats) => stats.depth + stats.dropped === total;

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

/** In a log of 100,000 bytes that drops the oldest. */
export async function expectTooLargeRefused(spool: Spool): Promise<void> {
  const consumer = spool.consumer('a');
  for (let number = 1; number <= 50; number++) await spool.append([numbered(number)]);
  const large = numbered(51, 'x'.repeat(100_000));
  await expect(spool.append([numbered(52), large])).rejects.toThrow(AlertTooLargeError);
  expect(consumer.stats()).toMatchObject({ depth: 50, dropped: 0 });
  await spool.append([numbered(53)]);
  expect((await drain(consumer)).map(numberOf)).toEqual([...Array.from({ length: 50 }, (_, i) => i + 1), 53]);
}

/** @param open opens a new, empty spool; `now` moves its clock */
export function runSpoolSuite(
  name: string,
  open: (overrides: Partial<SpoolConfig>, clock: Pick<Clock, 'now' | 'monotonic'>) => Promise<Spool>,
  place: Place = {},
): void {
  const { hourMs = 3_600_000, quietMs = 0 } = place;

  describe(name, () => {
    let spool: Spool;
    let now = 0;

    async function make(overrides: Partial<SpoolConfig> = {}): Promise<Spool> {
      now = place.startAt?.() ?? Date.parse('2026-01-31T12:00:00Z');
      spool = await open(overrides, { now: () => now, monotonic: () => now });
      return spool;
    }

    async function pass(ms: number): Promise<void> {
      await place.pass?.(ms);
      now = place.startAt?.() ?? now + ms;
    }

    const drainAll = (consumer: Consumer) => drain(consumer, quietMs);
    /** What a consumer counts, once it does. */
    const statsOf = (consumer: Consumer) => expect.poll(() => consumer.stats());
    const counts = (...outputs: (string | undefined)[]) =>
      expect.poll(() => outputs.map(output => spool.deadLetters.count(output)));
    const letters = (filter?: DeadLetterFilter) => spool.deadLetters.list(filter);

    afterEach(() => spool.close());

    describe('handing out', () => {
      test('entries come in the order of appending, each once', async () => {
        await make();
        const consumer = spool.consumer('a');
        await Promise.all([spool.append(numberedTo(3)), spool.append([numbered(4)]), spool.append([])]);
        await spool.append(numberedTo(6, 5));
        const deliveries = await pullAll(consumer, 10);
        expect(deliveries.map(numberOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        expect(deliveries.map(({ offset }) => offset - deliveries[0]!.offset)).toEqual([...Array(10).keys()]);
        expect(deliveries.every(({ attempt, appendedAt }) => attempt === 1 && appendedAt === now)).toBe(true);
        expect(consumer.take(10)).toEqual([]);
      });

      test('an alert comes out as it went in', async () => {
        await make();
        const consumer = spool.consumer('a');
        const alert = numbered(1, 'quote " and 🦅 and \u0000');
        await spool.append([alert]);
        const [delivery] = await pullAll(consumer, 1);
        expect(delivery!.alert.json).toBe(alert.json);
        expect(delivery!.alert.uuid).toBe(alert.uuid);
      });

      test('at most `max` deliveries at a time', async () => {
        await make();
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(5));
        expect((await consumer.pull(2, forever)).map(numberOf)).toEqual([1, 2]);
        expect((await pullAll(consumer, 2)).map(numberOf)).toEqual([3, 4]);
        expect(await consumer.pull(0, forever)).toEqual([]);
        expect(consumer.take(0)).toEqual([]);
      });

      test('no more once they come to so many bytes, retries among them; one at least', async () => {
        await make();
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
        await make();
        const pulled = spool.consumer('a').pull(10, forever);
        await spool.append([numbered(1)]);
        expect((await pulled).map(numberOf)).toEqual([1]);
      });

      test('pull ends with nothing when its signal aborts, before or while it waits', async () => {
        await make();
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
        await make();
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
        await make();
        const [a, b] = [spool.consumer('a'), spool.consumer('b')];
        await spool.append(numberedTo(3));
        for (const delivery of await pullAll(a, 3)) delivery.ack();
        await statsOf(a).toMatchObject({ depth: 0 });
        await statsOf(b).toMatchObject({ depth: 3 });
        expect((await pullAll(b, 3)).map(numberOf)).toEqual([1, 2, 3]);
      });

      test('a name has one consumer at a time', async () => {
        await make();
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
        await make();
        spool.consumer('other');
        await spool.append(numberedTo(2));
        const consumer = spool.consumer('a', start);
        await spool.append([numbered(3)]);
        expect((await drainAll(consumer)).map(numberOf)).toEqual(expected);
      });
    });

    describe('settling', () => {
      test('a retry comes again with the next attempt, before new entries once it is due', async () => {
        await make();
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(2));
        const [first] = await pullAll(consumer, 1);
        first!.retry(0, error);
        const deliveries = await pullAll(consumer, 2);
        expect(deliveries.map(numberOf)).toEqual([1, 2]);
        expect(deliveries.map(({ attempt }) => attempt)).toEqual([2, 1]);
      });

      test('a retry that is not due lets others pass, and wakes a waiting pull when it is', async () => {
        await make();
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(2));
        const [first] = await pullAll(consumer, 1);
        first!.retry(30, error);
        expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([2]);
        expect((await consumer.pull(10, forever)).map(numberOf)).toEqual([1]);
      });

      test('hasten makes every retry due, the oldest first', async () => {
        await make();
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
        await make();
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
        await make();
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(3));
        const [first] = await pullAll(consumer, 1);
        first!.retry(0, error);
        await expect.poll(() => consumer.take(1, 'new').map(numberOf)).toEqual([2]);
        expect((await consumer.pull(1, forever)).map(numberOf)).toEqual([1]);
      });

      test('only the first settlement counts', async () => {
        await make();
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
        await make();
        const consumer = spool.consumer('a');
        await statsOf(consumer).toEqual({
          depth: 0,
          inFlight: 0,
          waiting: 0,
          oldestAt: undefined,
          dropped: 0,
        });
        const start = now;
        for (let number = 1; number <= 4; number++) {
          now = start + number;
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
        await make();
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
        await make();
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(3));
        await (await pullAll(consumer, 1))[0]!.bury(refused);
        for (const delivery of await drainAll(consumer)) delivery.ack();
        await statsOf(consumer).toMatchObject({ depth: 0 });
        expect((await letters()).map(numberOf)).toEqual([1]);
      });

      test('after an outage everything comes, in order, exactly once (F8)', async () => {
        await make();
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

    describe('limits', () => {
      const output = 'x'.repeat(1000);
      const small = { maxBytes: 20_000, memoryBytes: 1_000_000, segmentBytes: 4_000 };

      test('drop-oldest makes room: who has not read loses the oldest, and is told how many', async () => {
        await make({ ...small, historyBytes: 0 });
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
        await make({ ...small, historyBytes: 0 });
        const consumer = spool.consumer('a');
        await spool.append([numbered(1)]);
        await statsOf(consumer).toSatisfy(adds(1));
        for (let number = 2; number <= 60; number++) await spool.append([numbered(number, output)]);
        const deliveries = await pullAll(consumer, 1);
        expect(numberOf(deliveries[0]!)).toBeGreaterThan(30);
        await statsOf(consumer).toSatisfy(adds(60));
      });

      test('what is in flight or waits for a retry is not dropped with the rest', async () => {
        await make(small);
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
        await make({ ...small, overflow: 'reject', historyBytes: 0 });
        const consumer = spool.consumer('a');
        let taken = 0;
        const append = async () => spool.append([numbered(taken + 1, output)]);
        for (; taken < 100; taken++) {
          const outcome = await append().catch((thrown: unknown) => thrown);
          if (outcome) {
            expect(outcome).toBeInstanceOf(SpoolFullError);
            break;
          }
        }
        expect(taken).toBeGreaterThan(3);
        expect(taken).toBeLessThan(30);
        const deliveries = await drainAll(consumer);
        expect(deliveries.map(numberOf)).toEqual(Array.from({ length: taken }, (_, index) => index + 1));
        await expect(append()).rejects.toThrow(SpoolFullError);
        for (const delivery of deliveries) delivery.ack();
        // Where the log is elsewhere, it learns of the acks a moment later.
        await vi.waitFor(append, { timeout: 30_000 });
        expect((await drainAll(consumer)).map(numberOf)).toEqual([taken + 1]);
        await statsOf(consumer).toMatchObject({ dropped: 0 });
      });

      test('many appends at once are refused as one by one', async () => {
        await make({ ...small, overflow: 'reject' });
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
        await make({ segmentBytes: 1, maxAgeMs: hourMs });
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
        await make({ segmentBytes: 1, historyAgeMs: hourMs });
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
        await make({ segmentBytes: 1, historyBytes: 3_000 });
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
        await make({ segmentBytes: 1, historyBytes: 0, historyAgeMs: 0, removedMs });
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

    describe('reading the log', () => {
      test('ranges by offset and by time, both ends included', async () => {
        await make();
        const start = now;
        for (let number = 1; number <= 6; number++) {
          now = start + number * 1000;
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
        await make();
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
        await make({ maxBytes: 20_000, segmentBytes: 2_000 });
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
        await make();
        expect(spool.stats()).toMatchObject({
          entries: 0,
          oldestAt: undefined,
          setAside: 0,
          fault: undefined,
        });
        const before = spool.stats().nextOffset;
        await spool.append(numberedTo(5));
        await expect
          .poll(() => spool.stats())
          .toMatchObject({ entries: 5, firstOffset: before, nextOffset: before + 5, oldestAt: now });
        expect(spool.stats().bytes).toBeGreaterThan(5 * numbered(1).bytes.length - 1);
      });
    });

    describe('dead letters', () => {
      test('keep the alert, what went wrong, and how often it was tried', async () => {
        await make();
        const consumer = spool.consumer('slack.soc');
        const alert = numbered(1, 'quote " and 🦅');
        await spool.append([alert]);
        (await pullAll(consumer, 1))[0]!.retry(0, error);
        now += 5000;
        await (await pullAll(consumer, 1))[0]!.bury(refused);
        const [letter] = await letters();
        expect(letter).toMatchObject({
          output: 'slack.soc',
          error: 'status 400',
          reason: 'client_error',
          attempts: 2,
          buriedAt: now,
        });
        expect(letter!.alert.json).toBe(alert.json);
        await statsOf(consumer).toMatchObject({ depth: 0, inFlight: 0 });
      });

      test('are listed newest first, by filter and by page', async () => {
        await make();
        const [a, b] = [spool.consumer('a'), spool.consumer('b')];
        await spool.append(numberedTo(4));
        for (const consumer of [a, b]) {
          for (const delivery of await drainAll(consumer)) {
            now += 1000;
            await delivery.bury(refused);
          }
        }
        const numbers = async (filter = {}) => (await letters(filter)).map(numberOf);
        expect(await numbers()).toEqual([4, 3, 2, 1, 4, 3, 2, 1]);
        expect(await numbers({ output: 'a' })).toEqual([4, 3, 2, 1]);
        expect(await numbers({ rule: 'rule 2' })).toEqual([2, 2]);
        expect(await numbers({ since: now - 1000 })).toEqual([4, 3]);
        expect(await numbers({ limit: 3 })).toEqual([4, 3, 2]);
        const last = (await letters({ limit: 3 })).at(-1)!;
        expect(await numbers({ limit: 3, before: last.id })).toEqual([1, 4, 3]);
        expect(await letters({ ids: [last.id] })).toEqual([last]);
        await counts(undefined, 'b', 'c').toEqual([8, 4, 0]);
      });

      test('come in pages that end with their bytes, and lead to all of them', async () => {
        await make();
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
        await make();
        const [a, b] = [spool.consumer('a'), spool.consumer('b')];
        await spool.append(numberedTo(3));
        for (const consumer of [a, b]) {
          for (const delivery of await drainAll(consumer)) {
            now += 1000;
            await delivery.bury(refused);
          }
        }
        const tally = async (filter: DeadLetterFilter) =>
          Object.fromEntries(await spool.deadLetters.tally(filter));
        expect(await tally({})).toEqual({ a: 3, b: 3 });
        expect(await tally({ output: 'b' })).toEqual({ b: 3 });
        expect(await tally({ output: 'c' })).toEqual({});
        expect(await tally({ rule: 'rule 2' })).toEqual({ a: 1, b: 1 });
        expect(await tally({ since: now - 1000 })).toEqual({ b: 2 });
        expect(await tally({ ids: (await letters({ limit: 4 })).map(({ id }) => id) })).toEqual({
          a: 1,
          b: 3,
        });
      });

      test('are removed by filter', async () => {
        await make();
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
        await make({ deadLetters: { maxCount: 3, maxBytes: 0, maxAgeMs: 0 } });
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(5));
        for (const delivery of await drainAll(consumer)) await delivery.bury(refused);
        expect((await letters()).map(numberOf)).toEqual([5, 4, 3]);
        await counts('a').toEqual([3]);
      });

      test('go when they are too old', async () => {
        await make({ deadLetters: { maxCount: 0, maxBytes: 0, maxAgeMs: hourMs } });
        const consumer = spool.consumer('a');
        await spool.append(numberedTo(2));
        const [first, second] = (await pullAll(consumer, 2)) as [Delivery, Delivery];
        await first.bury(refused);
        await pass(1.1 * hourMs);
        await second.bury(refused);
        expect((await letters()).map(numberOf)).toEqual([2]);
      });
    });

    test('close is safe to call twice, and late settlements do nothing', async () => {
      await make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      const [first, second, third] = (await pullAll(consumer, 3)) as [Delivery, Delivery, Delivery];
      await Promise.all([spool.close(), spool.close()]);
      first.ack();
      second.retry(0, error);
      await third.bury(refused);
      expect(() => spool.consumer('b')).toThrow('closed');
    });
  });
}
