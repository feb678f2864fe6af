import { expect, test } from 'vitest';
import type { Alert } from '../../../src/core/alert/alert.ts';
import { GroupCommit } from '../../../src/core/spool/disk/group-commit.ts';
import { loopHasSlept } from '../../support/loop.ts';
import { numbered, numberOf } from '../../support/spool.ts';

const nextTurn = () => new Promise(setImmediate);

function recorder(answer?: () => Promise<void>) {
  const writes: number[][] = [];
  const commits = new GroupCommit((alerts: readonly Alert[]) => {
    writes.push(alerts.map(alert => numberOf({ alert })));
    return answer?.();
  });
  const add = (number: number) => commits.add([numbered(number)], 100);
  /** Alerts that come alone, until it is known that they do. */
  const calmDown = async () => {
    for (let turn = 0; turn < 20; turn++) {
      await loopHasSlept();
      add(0)?.catch(() => {});
      await nextTurn();
    }
    writes.length = 0;
    await loopHasSlept();
  };
  return { writes, commits, add, calmDown };
}

test('what comes alone time after time is written at once, what is right behind it in one go', async () => {
  const { writes, commits, add, calmDown } = recorder();
  await calmDown();
  expect(add(1)).toBeUndefined();
  expect(writes).toEqual([[1]]);
  const rest = [add(2), add(3), add(4)];
  expect(writes).toEqual([[1]]);
  expect(commits.bytes).toBe(300);
  await Promise.all(rest);
  expect(writes).toEqual([[1], [2, 3, 4]]);
  expect(commits.bytes).toBe(0);
});

test('what comes alone while the loop has no time to sleep is written at once too', async () => {
  const { writes, add } = recorder();
  for (let turn = 0; turn < 20; turn++) {
    await nextTurn();
    add(turn);
  }
  await nextTurn();
  expect(add(20)).toBeUndefined();
  expect(writes.at(-1)).toEqual([20]);
});

test('alerts that come together are gathered, and so are the next ones', async () => {
  const { writes, add, calmDown } = recorder();
  await calmDown();
  add(1);
  for (let turn = 1; turn <= 3; turn++) {
    add(10 * turn);
    add(10 * turn + 1);
    await nextTurn();
    await loopHasSlept();
  }
  add(40);
  expect(writes).toEqual([[1], [10, 11], [20, 21], [30, 31]]);
  await nextTurn();
  expect(writes.at(-1)).toEqual([40]);
});

test('answers as the write does, whether alone or with others', async () => {
  const { add, calmDown } = recorder(() => Promise.reject(new Error('no room')));
  await calmDown();
  await expect(add(1)).rejects.toThrow('no room');
  await expect(Promise.allSettled([add(2), add(3)])).resolves.toMatchObject([
    { reason: { message: 'no room' } },
    { reason: { message: 'no room' } },
  ]);
});

test('flush writes what waits, and the end of the turn nothing more', async () => {
  const { writes, commits, add } = recorder();
  add(1);
  add(2);
  commits.flush();
  commits.flush();
  expect(writes).toEqual([[1, 2]]);
  await nextTurn();
  expect(writes).toHaveLength(1);
});
