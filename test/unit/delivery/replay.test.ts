import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CarriedReplay } from '../../../src/core/carried-replay.ts';
import type { Replayable } from '../../../src/core/delivery/replay.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { replayLetters } from '../../../src/core/replay.ts';
import type { DeadLetters } from '../../../src/core/spool/contract.ts';
import { alertOfRule, FarEnd, makeWorker, pass } from '../../support/delivery.ts';
import { realClock } from '../../support/spool.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Alerts that keep what became of them. */
function sourceOf(count: number) {
  const outcomes = new Map<string, string>();
  let given = 0;
  async function* source(): AsyncGenerator<Replayable> {
    for (let index = 0; index < count; index++) {
      const rule = `r${index}`;
      given++;
      yield {
        offset: index,
        alert: alertOfRule(rule),
        startedAt: Date.now(),
        attempt: 1,
        ack: () => outcomes.set(rule, 'done'),
        bury: async error => void outcomes.set(rule, error.message),
      };
    }
  }
  return { source: source(), outcomes, given: () => given };
}

const slow = () => new Promise(resolve => setTimeout(resolve, 10));
const busy = () => new RetriableError('answered 503', { reason: 'server_error' });

describe('replay', () => {
  test('sends everything and resolves when all is settled', async () => {
    const far = new FarEnd(slow);
    const { worker } = makeWorker(far);
    worker.start();
    const { source, outcomes } = sourceOf(100);
    const carried = new CarriedReplay(source, 100);
    const replayed = worker.replay(carried);
    await pass(60);
    expect(carried.progress).toMatchObject({ total: 100, failed: 0 });
    expect(carried.progress.done).toBeGreaterThan(0);
    await pass(1000);
    await replayed;
    expect(new Set(outcomes.values())).toEqual(new Set(['done']));
    expect(outcomes.size).toBe(100);
    expect(carried.progress).toEqual({ total: 100, done: 100, failed: 0 });
    await worker.stop(0);
  });

  test('an alert that is given up, and cannot be stored, is not done with', async () => {
    const far = new FarEnd(() =>
      Promise.reject(new PermanentError('answered 400', { reason: 'client_error' })),
    );
    const { worker, observer } = makeWorker(far);
    worker.start();
    let isFull = true;
    const outcomes: string[] = [];
    async function* source(): AsyncGenerator<Replayable> {
      const bury = async () => {
        if (isFull) throw new Error('the disk is full');
        outcomes.push('buried');
      };
      yield { offset: 1, startedAt: 0, alert: alertOfRule('a'), attempt: 1, ack() {}, bury };
    }
    const carried = new CarriedReplay(source(), 1);
    const replayed = worker.replay(carried);
    await pass(45_000);
    expect(carried.progress).toEqual({ total: 1, done: 0, failed: 0 });
    expect(observer.of('buried')).toEqual([]);
    isFull = false;
    await pass(30_000);
    await replayed;
    expect(outcomes).toEqual(['buried']);
    expect(carried.progress).toEqual({ total: 1, done: 0, failed: 1 });
    expect(observer.of('buried')).toHaveLength(1);
    await worker.stop(0);
  });

  test('a dead letter that is given up again is no new one', async () => {
    const far = new FarEnd(() =>
      Promise.reject(new PermanentError('answered 400', { reason: 'client_error' })),
    );
    const { worker, observer, log } = makeWorker(far);
    worker.start();
    const letters = [
      { id: 7, output: 'x', alert: alertOfRule('a'), error: '', reason: '', attempts: 1, buriedAt: 0 },
    ];
    async function* kept() {
      yield* letters;
    }
    const carried = new CarriedReplay(replayLetters(kept(), {} as DeadLetters, realClock), 1);
    const replayed = worker.replay(carried);
    await pass(1_000);
    await replayed;
    expect(carried.progress).toEqual({ total: 1, done: 0, failed: 1 });
    expect(observer.of('tried')).toHaveLength(1);
    expect(observer.of('buried')).toEqual([]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'replayed alert given up again, still a dead letter',
    ]);
    await worker.stop(0);
  });

  test('shares the window evenly with the log', async () => {
    const far = new FarEnd(slow);
    const { worker, append } = makeWorker(far, { concurrency: 4 });
    await append(...Array.from({ length: 200 }, (_, index) => `live${index}`));
    const { source } = sourceOf(200);
    worker.start();
    const replayed = worker.replay(source);
    await pass(250);
    const live = far.accepted.filter(rule => rule.startsWith('live')).length;
    expect(far.mostInFlight).toBe(4);
    expect(live).toBeGreaterThan(35);
    expect(far.accepted.length - live).toBeGreaterThan(35);
    await pass(2000);
    await replayed;
    expect(far.accepted).toHaveLength(400);
    await worker.stop(0);
  });

  test('shares a window of one, too', async () => {
    const far = new FarEnd(slow);
    const { worker, append } = makeWorker(far, { concurrency: 1 });
    await append('live0', 'live1', 'live2');
    const { source } = sourceOf(3);
    worker.start();
    const replayed = worker.replay(source);
    await pass(45);
    const kinds = far.accepted.map(rule => rule.startsWith('live'));
    expect(kinds.filter(Boolean)).toHaveLength(2);
    await pass(1000);
    await replayed;
    expect(far.accepted).toHaveLength(6);
    await worker.stop(0);
  });

  test('reads no more of its source than it may hold', async () => {
    const far = new FarEnd(() => new Promise(() => {}));
    const { worker } = makeWorker(far, { concurrency: 8 });
    worker.start();
    const { source, given } = sourceOf(1000);
    const replayed = worker.replay(source).catch(() => {});
    await pass(100);
    expect(given()).toBe(9);
    const stopped = worker.stop(0);
    await pass(0);
    await Promise.all([stopped, replayed]);
  });

  test('tries again what fails, and tells the source what is given up', async () => {
    const far = new FarEnd(({ rules, attempt }) => {
      if (rules[0] === 'r1') throw new PermanentError('answered 400', { reason: 'client_error' });
      if (rules[0] === 'r2' && attempt < 3) throw busy();
    });
    const { worker } = makeWorker(far);
    worker.start();
    const { source, outcomes } = sourceOf(4);
    const replayed = worker.replay(source);
    await pass(10_000);
    await replayed;
    expect(Object.fromEntries(outcomes)).toEqual({ r0: 'done', r1: 'answered 400', r2: 'done', r3: 'done' });
    await worker.stop(0);
  });

  test('does not try again at once what has to wait for longer than a timer can', async () => {
    const far = new FarEnd(() => {
      throw new RetriableError('answered 503', { reason: 'server_error' });
    });
    const days = 86_400_000;
    const { worker } = makeWorker(far, {
      retry: { maxAgeMs: 365 * days, attempts: 0, minMs: 100 * days, maxMs: 100 * days },
    });
    worker.start();
    const { source } = sourceOf(1);
    const replay = worker.replay(source);
    await pass(1000);
    expect(far.sends).toHaveLength(1);
    await Promise.all([worker.stop(0), expect(replay).rejects.toThrow()]);
  });

  test('waits with everything else while the far side is down, and goes on at once', async () => {
    let down = true;
    const far = new FarEnd(() => {
      if (down) throw busy();
    });
    const { worker } = makeWorker(far);
    worker.start();
    const { source, outcomes } = sourceOf(30);
    const replayed = worker.replay(source);
    await pass(120_000);
    expect(worker.status()).toMatchObject({ state: 'failing' });
    down = false;
    await pass(16_000);
    await replayed;
    expect(outcomes.size).toBe(30);
    await worker.stop(0);
  });

  test.each([
    ['tries', { attempts: 3 }, 'given up after 3 tries: answered 503'],
    ['age', { maxAgeMs: 10_000 }, 'given up 10 s after it came in: answered 503'],
  ])('that goes on with another worker keeps its %s', async (_, limit, outcome) => {
    const far = new FarEnd(() => {
      throw busy();
    });
    const retry = { maxAgeMs: 3_600_000, attempts: 0, minMs: 4000, maxMs: 4000, ...limit };
    const { worker, again } = makeWorker(far, { retry });
    const { source, outcomes } = sourceOf(1);
    const carried = new CarriedReplay(source, 1);
    let now = worker;
    for (let reload = 0; reload < 6; reload++) {
      now.start();
      const ended = now.replay(carried).catch(() => {});
      await pass(2500);
      await Promise.all([now.stop(0), ended]);
      now = again();
    }
    expect(outcomes.get('r0')).toBe(outcome);
    await now.stop(0);
  });

  test('ends with the worker; what is not settled stays with the source', async () => {
    const far = new FarEnd(slow);
    const { worker } = makeWorker(far, { concurrency: 2 });
    worker.start();
    const { source, outcomes } = sourceOf(100);
    const replayed = worker.replay(source);
    const ended = expect(replayed).rejects.toThrow('stopped');
    await pass(25);
    const stopped = worker.stop(1000);
    await pass(100);
    await stopped;
    await ended;
    expect(outcomes.size).toBe(far.accepted.length);
    expect(outcomes.size).toBeLessThan(10);
  });

  test('a source that fails is told of, and the worker goes on', async () => {
    const far = new FarEnd();
    const { worker, append } = makeWorker(far);
    worker.start();
    // biome-ignore lint/correctness/useYield: it fails before it has anything
    async function* broken(): AsyncGenerator<Replayable> {
      throw new Error('the letters cannot be read');
    }
    await expect(worker.replay(broken())).rejects.toThrow('cannot be read');
    await append('a');
    await pass(0);
    expect(far.accepted).toEqual(['a']);
    await worker.stop(0);
  });

  test('two run one after the other', async () => {
    const far = new FarEnd(slow);
    const { worker } = makeWorker(far);
    worker.start();
    const first = sourceOf(20);
    const second = sourceOf(20);
    const both = Promise.all([worker.replay(first.source), worker.replay(second.source)]);
    await pass(15);
    expect(second.given()).toBe(0);
    await pass(1000);
    await both;
    expect(second.outcomes.size).toBe(20);
    await worker.stop(0);
  });
});
