/** How a worker opens its output, is tested, and stops. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Output } from '../../../src/core/contract.ts';
import { PartialError } from '../../../src/core/errors.ts';
import {
  alertOfRule,
  busy,
  FarEnd,
  fail,
  hang,
  makeWorker,
  names,
  pass,
  refused,
} from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
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

  test('takes hardly longer than the grace time, though the output neither sends nor closes', async () => {
    const far = new FarEnd(hang);
    far.close = hang;
    const { worker, append } = makeWorker(far);
    worker.start();
    await append('a');
    await pass(0);
    let isStopped = false;
    void worker.stop(2_000).then(() => {
      isStopped = true;
    });
    await pass(3_001);
    expect(isStopped).toBe(true);
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
