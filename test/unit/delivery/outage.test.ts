/** A worker whose far side is down, asks it to wait, or does not answer. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RetriableError } from '../../../src/core/errors.ts';
import {
  busy,
  FarEnd,
  fail,
  hang,
  makeWorker,
  names,
  pass,
  refused,
  sorted,
} from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a far side that is down', () => {
  test('costs one probe at a time, at growing distances', async () => {
    const far = new FarEnd(fail(busy()));
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append(...names(500));
    await pass(2000);
    const before = far.sends.length;
    await pass(120_000);
    expect(far.sends.length - before).toBeLessThanOrEqual(15);
    expect(far.sends.length - before).toBeGreaterThanOrEqual(8);
    const gaps = far.sends
      .slice(-5)
      .map((send, index, all) => send.atMs - (all[index - 1]?.atMs ?? send.atMs));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(15_000);
    expect(worker.status()).toMatchObject({ state: 'failing', breaker: 'open', depth: 500 });
    expect(observer.of('breaker')[0]).toEqual(['breaker', 'open']);
    await worker.stop(0);
  });

  test('gets all of it soon after its return, and nothing is lost', async () => {
    let down = true;
    const far = new FarEnd(() => (down ? fail(busy())() : undefined));
    const { worker, append, box, log } = makeWorker(far);
    worker.start();
    for (let minute = 0; minute < 10; minute++) {
      await append(...names(100, `m${minute}-`));
      await pass(60_000);
    }
    down = false;
    await pass(15_100);
    expect(far.accepted).toHaveLength(1000);
    expect(new Set(far.accepted).size).toBe(1000);
    expect(box.letters).toEqual([]);
    expect(worker.status()).toMatchObject({ state: 'running', depth: 0 });
    expect(log.lines.at(-1)).toMatchObject({ level: 'info', message: 'delivering again' });
    await worker.stop(0);
  });

  test('is not what an alert says that always fails: new ones and those that wait get through', async () => {
    let down = true;
    const far = new FarEnd(({ rules }) => (down || rules[0] === 'bad' ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far);
    worker.start();
    await append('bad', ...names(20));
    await pass(60_000);
    down = false;
    await pass(60_000);
    expect(sorted(far.accepted)).toEqual(sorted(names(20)));
    // By now it has opened the breaker all by itself.
    await pass(600_000);
    await append(...names(20, 'b'));
    await pass(30_000);
    expect(far.accepted).toHaveLength(40);
    expect(worker.status().depth).toBe(1);
    await worker.stop(0);
  });

  test('is not what an alert says that never gets an answer', async () => {
    const far = new FarEnd(({ rules }) => (rules[0] === 'bad' ? hang() : undefined));
    const { worker, append } = makeWorker(far);
    worker.start();
    await append('bad');
    await pass(600_000);
    expect(worker.status().breaker).not.toBe('closed');
    await append(...names(20));
    await pass(60_000);
    expect(sorted(far.accepted)).toEqual(sorted(names(20)));
    const stopped = worker.stop(0);
    await pass(0);
    await stopped;
  });

  test('is not what many such alerts say either', async () => {
    const far = new FarEnd(({ rules }) => (rules[0]!.startsWith('bad') ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, { concurrency: 2 });
    worker.start();
    await append(...names(12, 'bad'));
    await pass(600_000);
    for (let number = 0; number < 20; number++) {
      await append(`a${number}`);
      await pass(10_000);
    }
    await pass(60_000);
    expect(far.accepted).toHaveLength(20);
    await worker.stop(0);
  });

  test('costs a waiting alert no more than the pause, also when nothing else comes', async () => {
    let down = true;
    const far = new FarEnd(() => (down ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, {
      breaker: { failures: 1, maxMs: 1000 },
      retry: { maxAgeMs: 1e9, attempts: 0, minMs: 500, maxMs: 3_600_000 },
    });
    worker.start();
    await append('a');
    await pass(60_000);
    down = false;
    await pass(1000);
    expect(far.accepted).toEqual(['a']);
    await worker.stop(0);
  });

  test('is logged at once, then once a minute with counts', async () => {
    const far = new FarEnd(fail(busy()));
    const { worker, append, log } = makeWorker(far);
    worker.start();
    await append(...names(100));
    await pass(0);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({
      level: 'warn',
      fields: { output: 'fake.one', reason: 'server_error', error: 'answered 503' },
    });
    await pass(10 * 60_000);
    expect(log.lines.length).toBeGreaterThanOrEqual(8);
    expect(log.lines.length).toBeLessThanOrEqual(11);
    expect(log.lines.at(-1)!.fields.alerts).toBeGreaterThan(1);
    await worker.stop(0);
  });

  test('holds no more than a window of alerts, however many there are', async () => {
    const far = new FarEnd(({ rules }) => (rules[0]!.startsWith('bad') ? fail(busy())() : undefined));
    // Never opens: every other alert gets through.
    const { worker, append } = makeWorker(far, { breaker: { failures: 1e6, maxMs: 1000 } });
    worker.start();
    for (let round = 0; round < 60; round++) {
      await append(...names(50, `bad${round}-`), `good${round}`);
      await pass(10);
    }
    const { waiting, inFlight, depth } = worker.status();
    expect(waiting + inFlight).toBeLessThanOrEqual(1024 + 8);
    expect(depth).toBeGreaterThan(1900);
    await worker.stop(0);
  });

  test('holds no more of them when it comes and goes', async () => {
    let sends = 0;
    let down = false;
    // Mostly down, and for a moment back; even then it takes one in ten.
    const far = new FarEnd(() => (down || ++sends % 10 !== 0 ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, { breaker: { failures: 50, maxMs: 1000 } });
    worker.start();
    await append(...names(20_000));
    let most = 0;
    for (let round = 0; round < 30; round++) {
      down = false;
      await pass(2000);
      down = true;
      await pass(2000);
      const { waiting, inFlight } = worker.status();
      most = Math.max(most, waiting + inFlight);
    }
    expect(worker.status().breaker).not.toBe('closed');
    expect(most).toBeLessThanOrEqual(1024 + 8);
    await worker.stop(0);
  });

  test('goes on from that limit once alerts get through again', async () => {
    let down = true;
    const far = new FarEnd(() => (down ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, { breaker: { failures: 1e6, maxMs: 1000 } });
    worker.start();
    await append(...names(3000));
    await pass(5000);
    expect(worker.status().waiting).toBeLessThanOrEqual(1024 + 8);
    down = false;
    await pass(120_000);
    expect(new Set(far.accepted).size).toBe(3000);
    await worker.stop(0);
  });
});

describe('Retry-After', () => {
  const slowDown = new RetriableError('answered 429', { reason: 'rate_limited', retryAfterMs: 2000 });

  test('pauses the whole output: nothing is started until it is over, then a single probe goes first', async () => {
    let pausedUntil = 0;
    const far = new FarEnd(() => {
      if (Date.now() < pausedUntil) throw slowDown;
      return new Promise(resolve => setTimeout(resolve, 5));
    });
    const { worker, append } = makeWorker(far, { concurrency: 64 });
    worker.start();
    const start = Date.now();
    pausedUntil = start + 2000;
    for (let at = 0; at < 4000; at += 10) {
      await append(`a${at}`);
      await pass(10);
    }
    await pass(1000);
    const inside = far.sends.filter(({ atMs }) => atMs > 100 && atMs < 2000);
    expect(inside).toEqual([]);
    const first = far.sends.filter(({ atMs }) => atMs >= 2000);
    expect(first[0]!.atMs).toBeLessThan(2020);
    expect(first[1]!.atMs).toBeGreaterThanOrEqual(first[0]!.atMs + 5);
    expect(far.accepted).toHaveLength(400);
    await worker.stop(0);
  });

  test.each([0, 1])('of %d ms does not let a failing far side be asked all the time', async retryAfterMs => {
    const far = new FarEnd(
      fail(new RetriableError('answered 503', { reason: 'server_error', retryAfterMs })),
    );
    const { worker, append } = makeWorker(far);
    worker.start();
    await append('a', 'b', 'c');
    await pass(120_000);
    expect(far.sends.length).toBeLessThan(30);
    await worker.stop(0);
  });

  test.each([1, 60])(
    'of %d s for one alert time after time leaves the others most of the time',
    async seconds => {
      const always = new RetriableError('answered 429', {
        reason: 'rate_limited',
        retryAfterMs: seconds * 1000,
      });
      const far = new FarEnd(async ({ rules: [rule] }) => {
        await new Promise(resolve => setTimeout(resolve, 10));
        if (rule === 'poison') throw always;
      });
      const { worker, append } = makeWorker(far, { concurrency: 4, breaker: { failures: 5, maxMs: 5000 } });
      worker.start();
      await append('poison');
      const alerts = 60 * seconds * 4;
      await append(...names(alerts));
      await pass(60 * seconds * 1000);
      // Without the pauses all would be sent within a hundredth of the time.
      expect(far.accepted).toHaveLength(alerts);
      expect(far.sends.filter(({ rules: [rule] }) => rule === 'poison').length).toBeGreaterThan(5);
      await worker.stop(0);
    },
  );

  test('is no failure: the output is paused, not failing', async () => {
    const far = new FarEnd(fail(slowDown));
    const { worker, append } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(0);
    expect(worker.status()).toMatchObject({ state: 'paused', pausedUntil: Date.now() + 2000, waiting: 1 });
    await worker.stop(0);
  });
});

describe('a far side where some tries hang', () => {
  test('does not cost more timers with each of them', async () => {
    let sends = 0;
    const far = new FarEnd(() =>
      ++sends % 20 === 0 ? hang() : new Promise(resolve => setTimeout(resolve, 300)),
    );
    const { worker, append } = makeWorker(far, { timeoutMs: 1000, concurrency: 4 });
    const before = vi.getTimerCount();
    worker.start();
    for (let second = 0; second < 60; second++) {
      await append(...names(20, `s${second}-`));
      await pass(1000);
    }
    expect(far.sends.length).toBeGreaterThan(200);
    // One of each send that is under way, and one each for deadlines, pauses and retries.
    expect(vi.getTimerCount()).toBeLessThanOrEqual(before + 4 + 3);
    const stopped = worker.stop(1000);
    await pass(1000);
    await stopped;
    expect(vi.getTimerCount()).toBe(before);
  });
});

describe('time limits', () => {
  test('a try that hangs is aborted and tried again', async () => {
    const far = new FarEnd(({ attempt, signal }) =>
      attempt === 1
        ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        : undefined,
    );
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(10_000);
    expect(far.sends[0]!.signal.aborted).toBe(true);
    await pass(1000);
    expect(far.accepted).toEqual(['a']);
    expect(observer.of('tried')).toEqual([
      ['tried', 1, 10_000, 'timeout'],
      ['tried', 1, 0, 'ok'],
    ]);
    await worker.stop(0);
  });

  test('an output that ignores its signal is given up on, and its late word is ignored', async () => {
    const late: (() => void)[] = [];
    const far = new FarEnd(({ attempt }) =>
      attempt === 1 ? new Promise<void>(resolve => late.push(resolve)) : undefined,
    );
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(11_000);
    expect(worker.status().depth).toBe(0);
    late[0]!();
    await pass(0);
    expect(observer.of('delivered')).toHaveLength(1);
    await worker.stop(0);
  });

  test('an answer that only the limit brings out is the answer', async () => {
    const far = new FarEnd(
      ({ signal }) => new Promise<void>(resolve => signal.addEventListener('abort', () => resolve())),
    );
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(20_000);
    expect(far.accepted).toEqual(['a']);
    expect(observer.of('tried')).toEqual([['tried', 1, 10_000, 'ok']]);
    await worker.stop(0);
  });

  test('what an output says when it is given up is no refusal', async () => {
    const far = new FarEnd(({ attempt, signal }) => {
      if (attempt > 1) return;
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(refused())));
    });
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(20_000);
    expect(observer.of('tried')[0]).toEqual(['tried', 1, 10_000, 'timeout']);
    expect(far.accepted).toEqual(['a']);
    await worker.stop(0);
  });

  test('each try has its own limit, wherever it starts', async () => {
    const far = new FarEnd(hang);
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(6000);
    await append('b');
    await pass(4000);
    expect(observer.of('tried')).toHaveLength(1);
    await pass(5999);
    expect(far.sends.filter(({ rules }) => rules[0] === 'b')).toHaveLength(1);
    expect(observer.of('tried').filter(([, , ms]) => ms === 10_000)).toHaveLength(1);
    await pass(1);
    expect(observer.of('tried').length).toBeGreaterThanOrEqual(2);
    const stopped = worker.stop(0);
    await pass(0);
    await stopped;
  });
});

describe('a clock that is set back by an hour', () => {
  const setBack = () => vi.setSystemTime(Date.now() - 3_600_000);

  test.each([
    ['does not prolong a pause', {}],
    [
      'does not prolong the wait of an alert held for the sake of order',
      { concurrency: 1, breaker: { failures: 0, maxMs: 1000 } },
    ],
    ['does not let a batch wait', { batch: { items: 30, bytes: 1e6, waitMs: 500 } }],
  ])('%s', async (_, delivery) => {
    let down = true;
    const far = new FarEnd(() => (down ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far, delivery);
    worker.start();
    await append(...names(20));
    await pass(400);
    setBack();
    down = false;
    await pass(15_000);
    expect(far.accepted).toHaveLength(20);
    await worker.stop(0);
  });

  test('does not prolong a try', async () => {
    const far = new FarEnd(({ attempt }) => (attempt === 1 ? hang() : undefined));
    const { worker, append, observer } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(5000);
    setBack();
    await pass(6000);
    expect(far.accepted).toEqual(['a']);
    expect(observer.of('tried')[0]).toEqual(['tried', 1, 10_000, 'timeout']);
    await worker.stop(0);
  });
});
