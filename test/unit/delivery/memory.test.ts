/** What an output holds in memory, in bytes: src/core/delivery/limits.ts. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { alertOfRule, busy, FarEnd, fail, hang, makeWorker, pass } from '../../support/delivery.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const MIB = 2 ** 20;
const block = Buffer.alloc(96 * MIB);
const neverOpens = { failures: 1e6, maxMs: 1000 };
/** Alerts of so many bytes, which share them. */
const large = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...alertOfRule(`a${index}`),
    bytes: block.subarray(0, bytes),
    byteLength: bytes,
  }));

test('what is gathered and under way is bounded by bytes, whatever the batches hold', async () => {
  const far = new FarEnd(hang);
  const batch = { items: 1000, bytes: 5_000_000, waitMs: 20 };
  const { worker, spool } = makeWorker(far, { concurrency: 4, batch });
  worker.start();
  await spool.append(large(600, MIB / 4));
  await pass(200);
  expect(worker.status().inFlight / 4).toBeLessThanOrEqual(33);
  far.answer = () => {};
  await pass(60_000);
  expect(new Set(far.accepted).size).toBe(600);
  await worker.stop(0);
});

test('what comes while the output waits for it is bounded, too', async () => {
  const far = new FarEnd(hang);
  const batch = { items: 1000, bytes: 5_000_000, waitMs: 20 };
  const { worker, spool } = makeWorker(far, { concurrency: 4, batch });
  worker.start();
  await pass(100);
  await spool.append(large(600, MIB / 4));
  await pass(200);
  expect(worker.status().inFlight / 4).toBeLessThanOrEqual(33);
  await Promise.all([worker.stop(0), pass(0)]);
});

test('what waits for a retry is bounded by bytes, and goes on from there', async () => {
  let sends = 0;
  let down = true;
  const far = new FarEnd(() => (down && sends++ % 4 !== 0 ? fail(busy())() : undefined));
  const { worker, spool } = makeWorker(far, { concurrency: 64, breaker: neverOpens });
  worker.start();
  await spool.append(large(900, MIB / 4));
  await pass(300);
  const { waiting, inFlight } = worker.status();
  expect((waiting + inFlight) / 4).toBeLessThanOrEqual(97);
  down = false;
  await pass(120_000);
  expect(new Set(far.accepted).size).toBe(900);
  await worker.stop(0);
});

test('a single alert over the limit goes, and one that waits for a retry holds back no other', async () => {
  const far = new FarEnd(({ rules }) => (rules[0] === 'a0' ? fail(busy())() : undefined));
  const { worker, spool, append } = makeWorker(far, { breaker: neverOpens });
  worker.start();
  await spool.append(large(1, 96 * MIB));
  await pass(0);
  await append('small');
  await pass(0);
  expect(far.accepted).toEqual(['small']);
  far.answer = () => {};
  await pass(60_000);
  expect(far.accepted).toEqual(['small', 'a0']);
  await worker.stop(0);
});

test('a batch that may be larger than the limit still fills up', async () => {
  const far = new FarEnd();
  const batch = { items: 1000, bytes: 48 * MIB, waitMs: 600_000 };
  const { worker, spool } = makeWorker(far, { batch });
  worker.start();
  await spool.append(large(200, MIB / 4));
  await pass(1000);
  expect(far.sends.map(({ rules }) => rules.length)).toEqual([192]);
  await worker.stop(0);
});

test('a replay of large alerts and the log take turns within it', async () => {
  const far = new FarEnd(() => new Promise(resolve => setTimeout(resolve, 100)));
  const { worker, spool } = makeWorker(far, { concurrency: 64 });
  const replayed = large(16, 8 * MIB);
  async function* source() {
    for (const [offset, alert] of replayed.entries()) {
      const settle = { ack: () => {}, bury: async () => {} };
      yield { offset, alert: { ...alert, rule: 'replayed' }, startedAt: Date.now(), attempt: 1, ...settle };
    }
  }
  await spool.append(large(16, 8 * MIB));
  const replay = worker.replay(source());
  worker.start();
  await pass(450);
  expect(far.mostInFlight).toBeLessThanOrEqual(5);
  const done = far.accepted.filter(rule => rule === 'replayed').length;
  expect(done).toBeGreaterThan(4);
  expect(far.accepted.length - done).toBeGreaterThan(4);
  await pass(1000);
  await replay;
  expect(far.accepted).toHaveLength(32);
  await worker.stop(0);
});
