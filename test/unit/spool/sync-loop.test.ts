import { expect, test } from 'vitest';
import { SyncLoop } from '../../../src/core/spool/disk/sync-loop.ts';

const onDevice = (loop: SyncLoop) => new Promise<void>((resolve, reject) => loop.wait({ resolve, reject }));

test('who asks again as soon as it is answered is answered again', async () => {
  let syncs = 0;
  const loop = new SyncLoop(
    async () => void syncs++,
    () => {},
  );
  for (let round = 1; round <= 5; round++) {
    await onDevice(loop);
    expect(syncs).toBe(round);
  }
});

test('who asks during a sync waits for the next one', async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const loop = new SyncLoop(
    () => {
      gates.push(Promise.withResolvers());
      return gates.at(-1)!.promise;
    },
    () => {},
  );
  const answered: number[] = [];
  const first = onDevice(loop).then(() => answered.push(1));
  const second = onDevice(loop).then(() => answered.push(2));
  gates[0]!.resolve();
  await first;
  expect([answered, gates.length]).toEqual([[1], 2]);
  gates[1]!.resolve();
  await second;
  expect([answered, gates.length]).toEqual([[1, 2], 2]);
});
