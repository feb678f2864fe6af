import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PartialError } from '../../../src/core/errors.ts';
import { busy, FarEnd, fail, makeWorker, names, pass, refused } from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('order', () => {
  test('with a window of one, a failing alert holds back those behind it', async () => {
    let down = true;
    const far = new FarEnd(() => (down ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, { concurrency: 1 });
    worker.start();
    await append(...names(5));
    await pass(60_000);
    expect(new Set(far.sends.flatMap(send => send.rules))).toEqual(new Set(['a0']));
    expect(far.sends.map(send => send.attempt)).toEqual(far.sends.map((_, index) => index + 1));
    down = false;
    await append(...names(5, 'b'));
    await pass(15_000);
    expect(far.accepted).toEqual([...names(5), ...names(5, 'b')]);
    expect(worker.status().depth).toBe(0);
    await worker.stop(0);
  });

  test('batches keep it too, when some alerts of one were refused for now', async () => {
    let round = 0;
    const far = new FarEnd(() => {
      if (round++ === 0) throw new PartialError(new Map([[1, busy()]]));
    });
    const { worker, append } = makeWorker(far, {
      concurrency: 1,
      batch: { items: 3, bytes: 1e6, waitMs: 0 },
    });
    await append(...names(6));
    worker.start();
    await pass(5000);
    expect(far.sends.map(send => send.rules)).toEqual([['a0', 'a1', 'a2'], ['a1'], ['a3', 'a4', 'a5']]);
    await worker.stop(0);
  });

  test('batches that a rate limit cuts keep it too', async () => {
    let sends = 0;
    const far = new FarEnd(() => (++sends <= 6 ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, {
      concurrency: 1,
      batch: { items: 10, bytes: 1e6, waitMs: 0 },
      retry: { maxAgeMs: 1e9, attempts: 0, minMs: 50, maxMs: 100 },
      breaker: { failures: 0, maxMs: 1000 },
      rateLimit: { perSecond: 50, burst: 10 },
    });
    await append(...names(40));
    worker.start();
    await pass(10_000);
    expect(far.accepted).toEqual(names(40));
    await worker.stop(0);
  });

  test('a batch that is refused as a whole keeps it too, alert by alert', async () => {
    let sends = 0;
    const far = new FarEnd(({ rules }) => {
      sends++;
      if (sends === 1 || rules[0] === 'a1') throw busy();
      if (rules.length > 1 && rules.includes('a1')) throw refused();
    });
    const { worker, append, box } = makeWorker(far, {
      concurrency: 1,
      batch: { items: 10, bytes: 1e6, waitMs: 0 },
      retry: { maxAgeMs: 1e9, attempts: 4, minMs: 300, maxMs: 300 },
      breaker: { failures: 0, maxMs: 1000 },
      rateLimit: { perSecond: 50, burst: 10 },
    });
    await append(...names(20));
    worker.start();
    await pass(10_000);
    expect(far.accepted).toEqual(names(20).filter(name => name !== 'a1'));
    expect(box.letters.map(letter => letter.alert.rule)).toEqual(['a1']);
    await worker.stop(0);
  });

  test('an alert that is refused for good makes way', async () => {
    const far = new FarEnd(({ rules }) => (rules[0] === 'a0' ? fail(refused())() : undefined));
    const { worker, append, box } = makeWorker(far, { concurrency: 1 });
    worker.start();
    await append(...names(3));
    await pass(0);
    expect(far.accepted).toEqual(['a1', 'a2']);
    expect(box.letters.map(letter => letter.alert.rule)).toEqual(['a0']);
    await worker.stop(0);
  });
});
