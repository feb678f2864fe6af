import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FarEnd, fail, makeWorker, names, pass, sorted } from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('delivery', () => {
  test('sends every alert once and acknowledges it', async () => {
    const far = new FarEnd();
    const { worker, append, observer } = makeWorker(far);
    await append('before the start');
    worker.start();
    await append(...names(50));
    await pass(0);
    expect(sorted(far.accepted)).toEqual(sorted(['before the start', ...names(50)]));
    expect(worker.status()).toMatchObject({ state: 'running', depth: 0, inFlight: 0, waiting: 0 });
    expect(observer.of('tried')).toHaveLength(51);
    expect(observer.of('retried')).toEqual([]);
    await worker.stop(0);
  });

  test('keeps to its window', async () => {
    const far = new FarEnd(() => new Promise(resolve => setTimeout(resolve, 100)));
    const { worker, append } = makeWorker(far, { concurrency: 4 });
    worker.start();
    await append(...names(10));
    await pass(350);
    expect(far.mostInFlight).toBe(4);
    expect(far.accepted).toHaveLength(10);
    await worker.stop(0);
  });

  test('has only so many bytes on their way, however many alerts would be let', async () => {
    const far = new FarEnd(() => new Promise(resolve => setTimeout(resolve, 100)));
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    await append(...names(200));
    await pass(2000);
    far.accepted.splice(0);
    await append(...names(20, 'x'.repeat(4 * 2 ** 20)));
    await pass(50);
    expect(far.inFlight).toBe(8);
    await pass(300);
    expect(far.accepted).toHaveLength(20);
    await worker.stop(0);
  });

  test('tells the time from the ingest to the acceptance', async () => {
    const far = new FarEnd(() => new Promise(resolve => setTimeout(resolve, 30)));
    const { worker, append, observer } = makeWorker(far);
    await append('a');
    await pass(70);
    worker.start();
    await pass(40);
    expect(observer.of('delivered')).toEqual([['delivered', 100]]);
    expect(observer.of('tried')).toEqual([['tried', 1, 30, 'ok']]);
    await worker.stop(0);
  });

  test('acknowledges what is not for the output, and counts it', async () => {
    const far = new FarEnd();
    const { worker, append, observer } = makeWorker(
      far,
      {},
      { accepts: alert => alert.rule.startsWith('b') },
    );
    worker.start();
    await append(...names(5000), ...names(3, 'b'));
    await pass(5);
    expect(sorted(far.accepted)).toEqual(['b0', 'b1', 'b2']);
    expect(worker.status().depth).toBe(0);
    expect(observer.of('skipped').reduce((sum, [, count]) => sum + Number(count), 0)).toBe(5000);
    await worker.stop(0);
  });

  test('a filter that fails loses nothing', async () => {
    const far = new FarEnd();
    const broken = fail(new TypeError('oops'));
    const { worker, append } = makeWorker(far, {}, { accepts: broken });
    worker.start();
    await append('a');
    await pass(0);
    expect(far.accepted).toEqual(['a']);
    await worker.stop(0);
  });
});

describe('rate limit', () => {
  test('lets a burst through, then so many a second', async () => {
    const far = new FarEnd();
    const { worker, append } = makeWorker(far, { rateLimit: { perSecond: 10, burst: 5 } });
    worker.start();
    await append(...names(30));
    await pass(0);
    expect(far.accepted).toHaveLength(5);
    await pass(1000);
    expect(far.accepted).toHaveLength(15);
    await pass(1500);
    expect(far.accepted).toHaveLength(30);
    await worker.stop(0);
  });

  test('counts alerts, not batches', async () => {
    const far = new FarEnd();
    const { worker, append } = makeWorker(far, {
      rateLimit: { perSecond: 10, burst: 5 },
      batch: { items: 100, bytes: 1e6, waitMs: 0 },
    });
    await append(...names(30));
    worker.start();
    await pass(1000);
    expect(far.accepted.length).toBeLessThanOrEqual(15);
    expect(far.accepted.length).toBeGreaterThanOrEqual(14);
    await worker.stop(0);
  });
});
