import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Output } from '../../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../../src/core/errors.ts';
import {
  alertOfRule,
  busy,
  FarEnd,
  fail,
  hang,
  makeWorker,
  pass,
  type Send,
} from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const refused = () => new PermanentError('answered 400', { reason: 'client_error' });
const names = (count: number, prefix = 'a') =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const sorted = (list: readonly string[]) => [...list].sort();

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

describe('opening', () => {
  test('is tried again until it works; alerts wait in the log', async () => {
    const far = new FarEnd();
    let opens = 0;
    const open = async () => {
      if (++opens < 4) throw new Error('the client key /keys/client.key cannot be read (ENOENT)');
      return far;
    };
    const { worker, append, log } = makeWorker(far, {}, { open });
    worker.start();
    await append('a');
    await pass(100);
    expect(worker.status()).toMatchObject({ state: 'opening', depth: 1, inFlight: 0 });
    expect(worker.status().lastError).toContain('/keys/client.key');
    await pass(60_000);
    expect(opens).toBe(4);
    expect(far.accepted).toEqual(['a']);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
    await worker.stop(0);
  });

  test('that hangs is given up on, and what it gives too late is closed', async () => {
    const late = new FarEnd();
    const far = new FarEnd();
    const opens: ((output: Output) => void)[] = [];
    const open = () =>
      opens.length === 0 ? new Promise<Output>(resolve => opens.push(resolve)) : Promise.resolve<Output>(far);
    const { worker, append } = makeWorker(far, {}, { open });
    worker.start();
    await append('a');
    await pass(45_000);
    expect(far.accepted).toEqual(['a']);
    opens[0]!(late);
    await pass(0);
    expect(late.closed).toBe(1);
    await worker.stop(0);
  });

  test('can be stopped at any time', async () => {
    const far = new FarEnd();
    const { worker } = makeWorker(far, {}, { open: () => Promise.reject(new Error('no')) });
    worker.start();
    await pass(100);
    await worker.stop(1000);
    expect(worker.status().state).toBe('stopped');
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // the spool's own
  });
});

describe('stop', () => {
  test('lets tries in flight finish and takes no more', async () => {
    const far = new FarEnd(() => new Promise(resolve => setTimeout(resolve, 300)));
    const { worker, again, append } = makeWorker(far, { concurrency: 2 });
    worker.start();
    await append(...names(5));
    await pass(100);
    const stopped = worker.stop(1000);
    await pass(1000);
    await stopped;
    expect(far.accepted).toEqual(['a0', 'a1']);
    expect(far.closed).toBe(1);
    expect(worker.status()).toMatchObject({ state: 'stopped', depth: 3 });

    const next = again();
    next.start();
    await pass(1000);
    expect(far.accepted).toEqual(names(5));
    await next.stop(0);
  });

  test('aborts what is not done within the grace time; it is handed out again', async () => {
    const far = new FarEnd(hang);
    const { worker, again, append, box } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(0);
    const stopped = worker.stop(500);
    await pass(499);
    expect(far.sends[0]!.signal.aborted).toBe(false);
    await pass(1);
    await stopped;
    expect(far.sends[0]!.signal.aborted).toBe(true);
    expect(box.letters).toEqual([]);

    far.answer = () => {};
    const next = again();
    next.start();
    await pass(0);
    expect(far.accepted).toEqual(['a']);
    await next.stop(0);
  });

  test('does not wait for an output that will not close', async () => {
    const far = new FarEnd();
    far.close = hang;
    const { worker } = makeWorker(far);
    worker.start();
    await pass(0);
    const stopped = worker.stop(0);
    await pass(10_000);
    await stopped;
    expect(worker.status().state).toBe('stopped');
  });

  test('can be asked for twice', async () => {
    const far = new FarEnd();
    const { worker } = makeWorker(far);
    worker.start();
    await pass(0);
    await Promise.all([worker.stop(100), worker.stop(100)]);
    expect(far.closed).toBe(1);
  });
});

describe('test alert', () => {
  test('goes past the log and throws what went wrong', async () => {
    const far = new FarEnd();
    const { worker } = makeWorker(far);
    await expect(worker.sendNow(alertOfRule('t'), new AbortController().signal)).rejects.toThrow(
      'not open yet',
    );
    worker.start();
    await pass(0);
    await worker.sendNow(alertOfRule('t'), new AbortController().signal);
    expect(far.accepted).toEqual(['t']);
    far.answer = fail(refused());
    await expect(worker.sendNow(alertOfRule('t'), new AbortController().signal)).rejects.toThrow(
      'answered 400',
    );
    expect(worker.status().depth).toBe(0);
    await worker.stop(0);
  });

  test('that none of the refusals is about was accepted', async () => {
    const far = new FarEnd(fail(new PartialError(new Map())));
    const { worker, log } = makeWorker(far);
    worker.start();
    await pass(0);
    await worker.sendNow(alertOfRule('t'), new AbortController().signal);
    far.answer = fail(new PartialError(new Map([[0, refused()]])));
    await expect(worker.sendNow(alertOfRule('t'), new AbortController().signal)).rejects.toThrow(
      'answered 400',
    );
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    await worker.stop(0);
  });

  test('ends with its signal, even when the output ignores it', async () => {
    const far = new FarEnd(hang);
    const { worker } = makeWorker(far);
    worker.start();
    await pass(0);
    const caller = new AbortController();
    const sent = worker.sendNow(alertOfRule('t'), caller.signal);
    caller.abort();
    await expect(sent).rejects.toMatchObject({ reason: 'timeout' });
    await worker.stop(0);
  });

  test('that gets through ends an outage', async () => {
    let down = true;
    const far = new FarEnd(() => (down ? fail(busy())() : undefined));
    const { worker, append } = makeWorker(far);
    worker.start();
    await append(...names(20));
    await pass(60_000);
    down = false;
    await worker.sendNow(alertOfRule('t'), new AbortController().signal);
    await pass(0);
    expect(far.accepted).toHaveLength(21);
    await worker.stop(0);
  });
});
