/** What goes out at once to far sides that take their time. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CongestionWindow } from '../../../src/core/delivery/congestion.ts';
import { PartialError, RetriableError } from '../../../src/core/errors.ts';
import { busy, FarEnd, hang, makeWorker, names, pass, type Send } from '../../support/delivery.ts';

const later = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

/** A far side that takes one request after the other, also those that nobody waits for any more. */
function oneByOne(ms: (send: Send) => number): FarEnd {
  let queue = Promise.resolve();
  return new FarEnd(send => {
    queue = queue.then(() => later(ms(send)));
    return queue;
  });
}

/** How often the far side got an alert, on average. */
function copies(far: FarEnd): number {
  const rules = far.sends.flatMap(send => send.rules);
  return rules.length / new Set(rules).size;
}

describe('a worker', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([50, 300, 1000, 2000])(
    'hardly sends an alert twice where the far side takes one after the other, %s ms each',
    async ms => {
      const far = oneByOne(() => ms);
      const { worker, append } = makeWorker(far, { concurrency: 64 });
      worker.start();
      await append(...names(200));
      await pass(210 * ms);
      expect(worker.status().depth).toBe(0);
      expect(copies(far)).toBeLessThan(1.03);
      await worker.stop(0);
    },
  );

  test('finds out how many go at once where even a few are too many', async () => {
    const far = oneByOne(() => 6000);
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    await append(...names(60));
    await pass(600_000);
    expect(worker.status().depth).toBe(0);
    expect(copies(far)).toBeLessThan(1.25);
    await worker.stop(0);
  });

  test('uses all it may where answers take long, however much goes at once', async () => {
    const far = new FarEnd(() => later(8000));
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    await append(...names(1000));
    await pass(60_000);
    expect(far.mostInFlight).toBe(64);
    await pass(120_000);
    expect(worker.status().depth).toBe(0);
    await worker.stop(0);
  });

  test('gets to all it may within milliseconds where answers are quick', async () => {
    const far = new FarEnd(() => later(20));
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    await append(...names(300));
    await pass(140);
    expect(far.inFlight).toBe(64);
    expect(worker.status().window).toBe(64);
    await pass(100);
    expect(worker.status().depth).toBe(0);
    await worker.stop(0);
  });

  test.each(['rate_limited', 'server_error', 'network'] as const)(
    'finds out how many a far side takes at once that refuses all others (%s)',
    async reason => {
      let inHand = 0;
      const far = new FarEnd(async () => {
        if (inHand >= 10) throw new RetriableError('too many', { reason });
        inHand++;
        await later(200);
        inHand--;
      });
      const { worker, append } = makeWorker(far, { concurrency: 64 });
      worker.start();
      await append(...names(500));
      await pass(16_000);
      expect(worker.status().depth).toBe(0);
      expect(copies(far)).toBeLessThan(1.25);
      await worker.stop(0);
    },
  );

  test('sends as much as before where some alerts of each batch have to come again', async () => {
    const far = new FarEnd(async ({ rules }) => {
      await later(20);
      const failed = new Map(rules.flatMap((_, at) => (at % 10 === 5 ? [[at, busy()] as const] : [])));
      if (failed.size > 0) throw new PartialError(failed);
    });
    const { worker, append } = makeWorker(far, { batch: { items: 10, bytes: 1e6, waitMs: 10 } });
    worker.start();
    await append(...names(200));
    await pass(100);
    expect(worker.status().window).toBe(40);
    await worker.stop(0);
  });

  test('sends smaller batches where one takes longer than a try, and larger ones where that is over', async () => {
    let msPerAlert = 20;
    const far = oneByOne(({ rules }) => rules.length * msPerAlert);
    const { worker, append } = makeWorker(far, {
      concurrency: 1,
      batch: { items: 1000, bytes: 1e9, waitMs: 10 },
    });
    worker.start();
    await append(...names(2000));
    await pass(150_000);
    expect(worker.status()).toMatchObject({ depth: 0, waiting: 0 });
    expect(copies(far)).toBeLessThan(3);
    msPerAlert = 1;
    await append(...names(8000, 'b'));
    await pass(12_000);
    expect(worker.status()).toMatchObject({ depth: 0, window: 1000 });
    await worker.stop(0);
  });

  test('is as fast as before when the far side answers again', async () => {
    let down = false;
    const far = new FarEnd(() => (down ? hang() : later(20)));
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    await append(...names(200));
    await pass(500);
    down = true;
    await append(...names(500, 'b'));
    await pass(300_000);
    expect(worker.status().window).toBe(1);
    down = false;
    // The probe that is under way, and a pause.
    await pass(26_000);
    expect(worker.status()).toMatchObject({ depth: 0, state: 'running' });
    await worker.stop(0);
  });

  test('sends as much as before where single alerts get no answer', async () => {
    const far = new FarEnd(({ rules }) => (rules[0]!.startsWith('bad') ? hang() : later(20)));
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    await append(...names(200), 'bad');
    for (let second = 0; second < 60; second++) {
      await append(...names(10, `s${second}-`));
      await pass(1000);
    }
    expect(worker.status()).toMatchObject({ depth: 1, window: 64 });
    const stopped = worker.stop(0);
    await pass(0);
    await stopped;
  });
});

describe('the window', () => {
  const limits = { concurrency: 8, batchItems: 100, timeoutMs: 1000 };
  const one = (startedAt: number, alerts = 100, fills = true) => ({
    startedAt,
    deliveries: { length: alerts },
    fills,
  });

  test('grows only where it was used in full', () => {
    const window = new CongestionWindow({ ...limits, batchItems: 1 });
    for (let now = 0; now < 100; now++) window.accepted(one(now, 1, false), now + 1);
    expect(window.concurrency).toBe(4);
    for (let now = 100; now < 104; now++) window.accepted(one(now, 1), now + 1);
    expect(window.concurrency).toBe(8);
  });

  test('halves once for all tries that were under way together', () => {
    const window = new CongestionWindow(limits);
    for (const startedAt of [0, 10, 20]) window.failed(one(startedAt), 'timeout', startedAt + 1000);
    expect([window.concurrency, window.batchItems]).toEqual([2, 100]);
    for (const startedAt of [1001, 1010]) window.failed(one(startedAt), 'timeout', startedAt + 1000);
    expect([window.concurrency, window.batchItems]).toEqual([1, 50]);
  });

  test('keeps its batches where the same one is taken when it goes again', () => {
    const window = new CongestionWindow(limits);
    window.failed(one(0), 'timeout', 1000);
    window.accepted(one(1500), 1600);
    window.failed(one(2000), 'timeout', 3000);
    expect(window.batchItems).toBe(100);
    // One that is smaller says nothing about it.
    window.accepted(one(3500, 1), 3600);
    window.failed(one(4000), 'timeout', 5000);
    expect(window.batchItems).toBe(50);
  });

  test('keeps its batches where the far side says that it is too much', () => {
    const window = new CongestionWindow(limits);
    window.failed(one(0), 'rate_limited', 1);
    expect([window.concurrency, window.batchItems]).toEqual([2, 100]);
  });

  test('does not get smaller than one alert at a time', () => {
    const window = new CongestionWindow(limits);
    for (let now = 0; now < 20_000; now += 1000) window.failed(one(now), 'timeout', now + 1000);
    expect([window.concurrency, window.batchItems]).toEqual([1, 1]);
  });

  test('grows by a try at a time, and hardly at all, as answers get slower', () => {
    const window = new CongestionWindow(limits);
    const answers = (tookMs: number, times: number) => {
      for (let now = 0; now < times; now++) window.accepted(one(now), now + tookMs);
      return window.concurrency;
    };
    expect(answers(1, 1)).toBe(5);
    expect(answers(400, 4)).toBe(5);
    expect(answers(400, 2)).toBe(6);
    expect(answers(600, 100)).toBe(6);
    expect(answers(600, 100)).toBe(7);
  });
});
