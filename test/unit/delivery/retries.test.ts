import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Output } from '../../../src/core/contract.ts';
import { busy, FarEnd, fail, makeWorker, names, pass, refused, sorted } from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('retries', () => {
  test('tries again until the far side takes it', async () => {
    const far = new FarEnd(({ attempt }) => (attempt < 3 ? fail(busy())() : undefined));
    const { worker, append, observer, box } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(10_000);
    expect(far.sends.map(send => send.attempt)).toEqual([1, 2, 3]);
    expect(observer.of('retried')).toHaveLength(2);
    expect(worker.status()).toMatchObject({ depth: 0, lastError: 'answered 503' });
    expect(box.letters).toEqual([]);
    await worker.stop(0);
  });

  test('a failing alert does not hold back the others', async () => {
    const far = new FarEnd(({ rules }) => (rules[0] === 'bad' ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, { breaker: { failures: 100, maxMs: 1000 } });
    worker.start();
    await append('bad', ...names(20));
    await pass(0);
    expect(sorted(far.accepted)).toEqual(sorted(names(20)));
    expect(worker.status()).toMatchObject({ depth: 1, waiting: 1 });
    await worker.stop(0);
  });

  test('gives up what is refused, with its reason', async () => {
    const far = new FarEnd(fail(refused()));
    const { worker, append, box, observer, log } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(0);
    expect(far.sends).toHaveLength(1);
    expect(box.letters).toMatchObject([
      { output: 'fake.one', error: 'answered 400', reason: 'client_error', attempts: 1 },
    ]);
    expect(observer.of('buried')).toEqual([['buried', 'client_error']]);
    expect(worker.status()).toMatchObject({ depth: 0, deadLetters: 1, state: 'running' });
    expect(log.lines).toMatchObject([{ level: 'error', fields: { output: 'fake.one', rule: 'a' } }]);
    await worker.stop(0);
  });

  test('while dead letters cannot be stored it takes only so many alerts, and tells of none that is not stored', async () => {
    const COUNT = 5_000;
    const far = new FarEnd(fail(refused()));
    const { worker, append, box, observer, log } = makeWorker(far);
    const full = vi.spyOn(box, 'add').mockRejectedValue(new Error('the disk is full'));
    worker.start();
    await append(...names(COUNT));
    await pass(10_000);
    // 1,024 wait, and those that were under way when the last of them was refused.
    const { waiting, inFlight, depth } = worker.status();
    expect(depth).toBe(COUNT);
    expect(waiting + inFlight).toBeLessThan(1_500);
    expect(far.sends.length).toBeLessThan(1_500);
    expect(observer.of('buried')).toEqual([]);
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { error: 'the disk is full' }, message: /^dead letter cannot be stored/ },
    ]);
    full.mockRestore();
    await pass(120_000);
    expect(box.letters).toHaveLength(COUNT);
    expect(new Set(box.letters.map(({ alert }) => alert.rule)).size).toBe(COUNT);
    expect(observer.of('buried')).toHaveLength(COUNT);
    expect(worker.status()).toMatchObject({ depth: 0, deadLetters: COUNT });
    await worker.stop(0);
  });

  test('an alert whose dead letter cannot be stored holds no other back, and is delivered if it is taken after all', async () => {
    const far = new FarEnd(({ rules }) => (rules[0] === 'bad' ? fail(refused())() : undefined));
    const { worker, append, box } = makeWorker(far, { concurrency: 1 });
    vi.spyOn(box, 'add').mockRejectedValue(new Error('the disk is full'));
    worker.start();
    await append('bad', ...names(3));
    await pass(1_000);
    expect(far.accepted).toEqual(names(3));
    expect(worker.status()).toMatchObject({ depth: 1, waiting: 1 });
    far.answer = () => {};
    await pass(60_000);
    expect(far.accepted).toEqual([...names(3), 'bad']);
    expect(worker.status()).toMatchObject({ depth: 0, deadLetters: 0 });
    await worker.stop(0);
  });

  test('a clock that is set after the start has nothing given up; the time that passes has', async () => {
    vi.setSystemTime(1000);
    const far = new FarEnd(() => {
      if (far.sends.length === 1) vi.setSystemTime(Date.UTC(2026, 0, 31));
      throw busy();
    });
    const { worker, append, box } = makeWorker(far, {
      retry: { maxAgeMs: 3_600_000, attempts: 0, minMs: 500, maxMs: 60_000 },
    });
    worker.start();
    await append('a');
    await pass(3_590_000);
    expect(far.sends.length).toBeGreaterThan(10);
    expect(box.letters).toEqual([]);
    await pass(20_000);
    expect(box.letters).toMatchObject([
      { error: expect.stringMatching(/^given up 36\d\d s after it came in/) },
    ]);
    await worker.stop(0);
  });

  test('gives up after the allowed tries, and says what went wrong last', async () => {
    const far = new FarEnd(fail(busy()));
    const { worker, append, box } = makeWorker(far, {
      retry: { maxAgeMs: 1e9, attempts: 3, minMs: 500, maxMs: 1000 },
      breaker: { failures: 100, maxMs: 1000 },
    });
    worker.start();
    await append('a');
    await pass(10_000);
    expect(far.sends).toHaveLength(3);
    expect(box.letters).toMatchObject([
      { error: 'given up after 3 tries: answered 503', reason: 'server_error', attempts: 3 },
    ]);
    await worker.stop(0);
  });

  test('gives up what is too old, after one last try on the limit', async () => {
    const far = new FarEnd(fail(busy()));
    const { worker, append, box } = makeWorker(far, {
      retry: { maxAgeMs: 5000, attempts: 0, minMs: 500, maxMs: 60_000 },
      breaker: { failures: 100, maxMs: 1000 },
    });
    worker.start();
    await append('a');
    await pass(4900);
    expect(box.letters).toEqual([]);
    await pass(200);
    expect(box.letters).toMatchObject([{ reason: 'server_error' }]);
    expect(far.sends.at(-1)!.atMs).toBeGreaterThanOrEqual(5000);
    await worker.stop(0);
  });

  test('a payload function that throws is logged with its place and does not stop the others', async () => {
    const broken: Output = {
      send([alert]) {
        if (alert!.rule === 'bad') throw new TypeError('cannot read https://host.example/secret/token');
        return Promise.resolve();
      },
    };
    const far = new FarEnd();
    const { worker, append, box, log } = makeWorker(far, {}, { open: async () => broken });
    worker.start();
    await append('bad', ...names(10));
    await pass(0);
    expect(worker.status()).toMatchObject({ depth: 1, waiting: 1 });
    const line = log.lines.find(({ message }) => message === 'defect in the output');
    expect(line?.fields.stack).toContain('retries.test.ts');
    await pass(3_600_000);
    expect(box.letters).toMatchObject([{ reason: 'other', attempts: 10 }]);
    expect(JSON.stringify([log.lines, box.letters, worker.status()])).not.toContain('secret');
    await worker.stop(0);
  });
});
