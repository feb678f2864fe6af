import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Output } from '../../../src/core/contract.ts';
import { PartialError, type PermanentError, type RetriableError } from '../../../src/core/errors.ts';
import {
  alertOfRule,
  busy,
  FarEnd,
  fail,
  makeWorker,
  names,
  pass,
  refused,
  type Send,
  sorted,
} from '../../support/delivery.ts';

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
    expect(line?.fields.stack).toContain('worker.test.ts');
    await pass(3_600_000);
    expect(box.letters).toMatchObject([{ reason: 'other', attempts: 10 }]);
    expect(JSON.stringify([log.lines, box.letters, worker.status()])).not.toContain('secret');
    await worker.stop(0);
  });
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

describe('batches', () => {
  const batch = { items: 3, bytes: 1e6, waitMs: 200 };

  test('a full one goes at once, the rest when it has waited long enough', async () => {
    const far = new FarEnd();
    const { worker, append } = makeWorker(far, { batch });
    worker.start();
    await append(...names(7));
    await pass(0);
    expect(far.sends.map(send => send.rules.length)).toEqual([3, 3]);
    await pass(200);
    expect(far.sends.map(send => send.rules.length)).toEqual([3, 3, 1]);
    await worker.stop(0);
  });

  test('a single alert, then silence, goes after the linger time', async () => {
    const far = new FarEnd();
    const { worker, append } = makeWorker(far, { batch });
    worker.start();
    await pass(1000);
    await append('a');
    await pass(199);
    expect(far.sends).toEqual([]);
    await pass(1);
    expect(far.accepted).toEqual(['a']);
    await worker.stop(0);
  });

  test('alerts that come within the linger time go together', async () => {
    const far = new FarEnd();
    const { worker, append } = makeWorker(far, { batch });
    worker.start();
    await append('a');
    await pass(50);
    await append('b');
    await pass(50);
    await append('c');
    await pass(0);
    expect(far.sends.map(send => send.rules)).toEqual([['a', 'b', 'c']]);
    await worker.stop(0);
  });

  test('are cut by size; an alert that is larger by itself goes alone', async () => {
    const far = new FarEnd();
    const size = alertOfRule('a0').bytes.length;
    const { worker, append } = makeWorker(far, { batch: { items: 10, bytes: 2 * size, waitMs: 100 } });
    await append('a0', 'a1', 'a2', 'x'.repeat(3 * size), 'a3');
    worker.start();
    await pass(500);
    expect(far.sends.map(send => send.rules.length)).toEqual([2, 1, 1, 1]);
    await worker.stop(0);
  });

  test('of one in which some were refused, only those are given up or tried again', async () => {
    const far = new FarEnd(({ rules, attempt }: Send) => {
      if (rules.length === 3 && attempt === 1) {
        throw new PartialError(
          new Map<number, RetriableError | PermanentError>([
            [0, refused()],
            [2, busy()],
          ]),
        );
      }
    });
    const { worker, append, box, observer } = makeWorker(far, { batch: { ...batch, waitMs: 0 } });
    await append(...names(3));
    worker.start();
    await pass(5000);
    expect(box.letters.map(letter => letter.alert.rule)).toEqual(['a0']);
    expect(far.sends.slice(1).map(send => send.rules)).toEqual([['a2']]);
    expect(observer.of('delivered')).toHaveLength(2);
    expect(worker.status()).toMatchObject({ depth: 0, breaker: 'closed' });
    await worker.stop(0);
  });

  test('one poisonous alert does not take its neighbours along', async () => {
    const far = new FarEnd(({ rules }) => (rules.includes('a1') ? fail(refused())() : undefined));
    const { worker, append, box } = makeWorker(far, { batch });
    worker.start();
    await append(...names(3));
    await pass(0);
    expect(sorted(far.accepted)).toEqual(['a0', 'a2']);
    expect(box.letters.map(letter => letter.alert.rule)).toEqual(['a1']);
    // The far side may have stored some of what it refused together, so this is another try.
    expect(far.sends.map(({ attempt }) => attempt)).toEqual([1, 2, 2, 2]);
    expect(box.letters.map(({ attempts }) => attempts)).toEqual([1]);
    await worker.stop(0);
  });

  test.each([1, 8])(
    'nor those of its part, where a batch goes out in parts (window of %i)',
    async concurrency => {
      const far = new FarEnd(({ rules, attempt }) => {
        const failed = new Map<number, RetriableError | PermanentError>();
        const together = refused();
        if (rules.length > 1 && rules.includes('poison')) {
          for (const [index, rule] of rules.entries()) if (/^p/.test(rule)) failed.set(index, together);
        } else if (rules.includes('poison')) throw together;
        if (attempt === 1 && rules.includes('slow')) failed.set(rules.indexOf('slow'), busy());
        if (rules.length > 1 && rules.includes('alone')) failed.set(rules.indexOf('alone'), refused());
        if (failed.size > 0) throw rules.length > 1 ? new PartialError(failed) : failed.get(0)!;
      });
      const { worker, append, box } = makeWorker(far, {
        batch: { ...batch, items: 10, waitMs: 0 },
        concurrency,
      });
      await append('slow', 'a0', 'p0', 'poison', 'alone', 'p1');
      worker.start();
      await pass(10_000);
      expect(sorted(box.letters.map(letter => letter.alert.rule))).toEqual(['alone', 'poison']);
      expect(far.sends.slice(1).map(send => send.rules)).toEqual(
        expect.arrayContaining([['slow'], ['p0'], ['poison'], ['p1']]),
      );
      expect(far.sends).toHaveLength(5);
      expect(worker.status()).toMatchObject({ depth: 0, breaker: 'closed' });
      await worker.stop(0);
    },
  );
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
