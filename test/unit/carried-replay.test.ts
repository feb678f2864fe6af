import { expect, test } from 'vitest';
import { CarriedReplay } from '../../src/core/carried-replay.ts';
import type { Replayable } from '../../src/core/delivery/replay.ts';
import { numbered, numberOf } from '../support/spool.ts';

/** Alerts of which so many may be unsettled at once; the next one waits for room. */
async function* source(count: number, room: number): AsyncGenerator<Replayable> {
  let wake = () => {};
  for (let number = 1; number <= count; number++) {
    while (room === 0) {
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
    room--;
    const ack = () => {
      room++;
      wake();
    };
    yield { offset: number, alert: numbered(number), startedAt: 0, attempt: 1, ack, bury: async () => ack() };
  }
}

test('a worker that was waiting for more when it was replaced holds nothing up and takes nothing along', async () => {
  const replay = new CarriedReplay(source(5, 2), 5);
  const before = replay[Symbol.asyncIterator]();
  const one = (await before.next()).value as Replayable;
  await before.next();
  const waiting = before.next();
  // As a worker that stops: it waits for none of these.
  void before.return?.(undefined);
  expect(replay.progress).toEqual({ total: 5, done: 0, failed: 0 });
  const numbers: number[] = [];
  for await (const delivery of replay) {
    numbers.push(numberOf(delivery));
    // What the worker before had in flight may still be accepted.
    if (numbers.length === 1) one.ack();
    delivery.ack();
  }
  expect(numbers).toEqual([1, 2, 3, 4, 5]);
  expect(replay.progress).toEqual({ total: 5, done: 5, failed: 0 });
  expect(await waiting).toMatchObject({ done: true });
});
