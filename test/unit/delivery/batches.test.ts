import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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
