import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Alert } from '../../../src/core/alert.ts';
import { GroupCommit } from '../../../src/core/spool/disk/group-commit.ts';
import { numbered, numberOf } from '../../support/spool.ts';

const nextTurn = () => new Promise(setImmediate);

function recorder(answer?: () => Promise<void>) {
  const writes: number[][] = [];
  const commits = new GroupCommit((alerts: readonly Alert[]) => {
    writes.push(alerts.map(alert => numberOf({ alert })));
    return answer?.();
  });
  const add = (number: number) => commits.add([numbered(number)], 100);
  return { writes, commits, add };
}

test('what comes first after the loop has slept is written at once, what is behind it in one go', async () => {
  const { writes, commits, add } = recorder();
  await sleep(5);
  expect(add(1)).toBeUndefined();
  expect(writes).toEqual([[1]]);
  const rest = [add(2), add(3), add(4)];
  expect(writes).toEqual([[1]]);
  expect(commits.bytes).toBe(300);
  await Promise.all(rest);
  expect(writes).toEqual([[1], [2, 3, 4]]);
  expect(commits.bytes).toBe(0);
});

test('a loop that never sleeps gathers the alerts of each turn', async () => {
  const { writes, add } = recorder();
  await sleep(5);
  add(1);
  for (let turn = 1; turn <= 3; turn++) {
    add(10 * turn);
    add(10 * turn + 1);
    await nextTurn();
  }
  expect(writes).toEqual([[1], [10, 11], [20, 21], [30, 31]]);
});

test('answers as the write does, whether alone or with others', async () => {
  const { add } = recorder(() => Promise.reject(new Error('no room')));
  await sleep(5);
  await expect(add(1)).rejects.toThrow('no room');
  await expect(Promise.allSettled([add(2), add(3)])).resolves.toMatchObject([
    { reason: { message: 'no room' } },
    { reason: { message: 'no room' } },
  ]);
});

test('flush writes what waits, and the end of the turn nothing more', async () => {
  const { writes, commits, add } = recorder();
  await sleep(5);
  add(1);
  add(2);
  commits.flush();
  commits.flush();
  expect(writes).toEqual([[1], [2]]);
  await nextTurn();
  expect(writes).toHaveLength(2);
});
