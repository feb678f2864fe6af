import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SpoolFaultError } from '../../../src/core/spool/contract.ts';
import type { DeadLetterOptions } from '../../../src/core/spool/letters/dead-letters.ts';
import { allLetters } from '../../../src/core/spool/letters/page.ts';
import { boxIn, letterOf } from '../../support/letters.ts';
import type { LogLine } from '../../support/logger.ts';
import { numberOf, realClock } from '../../support/spool.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiercel-letters-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** With a clock that the test moves on. */
function clockedBoxIn(path: string, over: Partial<DeadLetterOptions> = {}) {
  let monotonic = 0;
  const { box, log } = boxIn(path, { clock: { ...realClock, monotonic: () => monotonic }, ...over });
  const pass = (ms: number) => {
    monotonic += ms;
  };
  const of = (level: LogLine['level']) => log.lines.filter(line => line.level === level);
  return { box, pass, of };
}

test('letters that cannot be read end no page, and hide none of those behind them', async () => {
  const path = join(folder, 'letters.sqlite');
  const { box } = clockedBoxIn(path);
  for (let number = 1; number <= 4; number++) await box.add(letterOf(number));
  const file = new DatabaseSync(path);
  file.exec(`update letters set alert = x'7b' where id in (3, 4)`);
  file.close();
  expect((await box.list({ limit: 1 })).map(({ id }) => id)).toEqual([2]);
  const found: number[] = [];
  for await (const { id } of allLetters(box, {})) found.push(id);
  expect(found).toEqual([2, 1]);
});

test('a file that cannot be opened: counts go on, the fault is told once, and opening is tried again later', async () => {
  const path = join(folder, 'letters.sqlite');
  mkdirSync(path);
  const { box, pass, of } = clockedBoxIn(path);
  for (let asked = 0; asked < 10; asked++) {
    expect(box.count()).toBe(0);
    expect(box.fault).toMatch(/dead letters cannot be used: unable to open/);
    pass(5_000);
  }
  await expect(box.list()).rejects.toThrow(SpoolFaultError);
  await expect(box.add(letterOf(1))).rejects.toThrow(SpoolFaultError);
  expect(of('error')).toHaveLength(1);
  rmdirSync(path);
  // Left alone for a while, whatever is asked.
  await expect(box.add(letterOf(1))).rejects.toThrow(SpoolFaultError);
  pass(10_000);
  await box.add(letterOf(1));
  expect(box.count('a')).toBe(1);
  expect(box.fault).toBeUndefined();
  expect(of('info')).toHaveLength(1);
});

test('a locked file: adding waits for the lock once, not once for each letter', async () => {
  const path = join(folder, 'letters.sqlite');
  const { box, pass } = clockedBoxIn(path);
  await box.add(letterOf(1));
  const other = new DatabaseSync(path);
  other.exec('begin immediate');
  const startedAt = performance.now();
  for (let number = 2; number <= 31; number++) {
    await expect(box.add(letterOf(number))).rejects.toThrow(SpoolFaultError);
  }
  // One wait is a second, thirty of them are thirty.
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  expect(box.count()).toBe(1);
  expect(box.fault).toMatch(/locked/);
  expect(await box.list()).toHaveLength(1);
  other.exec('rollback');
  other.close();
  pass(10_000);
  await box.add(letterOf(2));
  expect(box.fault).toBeUndefined();
}, 60_000);

test('a fault is forgotten when nothing was refused for a while', async () => {
  const path = join(folder, 'letters.sqlite');
  const { box, pass } = clockedBoxIn(path);
  await box.add(letterOf(1));
  const other = new DatabaseSync(path);
  other.exec('begin immediate');
  await expect(box.add(letterOf(2))).rejects.toThrow(SpoolFaultError);
  other.close();
  expect(box.fault).toBeDefined();
  pass(10 * 60_000);
  expect(box.fault).toBeUndefined();
}, 60_000);

test('a file that is found to be damaged when a letter comes is set aside, and the letter begins a new one', async () => {
  const path = join(folder, 'letters.sqlite');
  const { box: first } = clockedBoxIn(path);
  await first.add(letterOf(1));
  first.close();
  const file = new DatabaseSync(path);
  const page = file.prepare(`select rootpage from sqlite_schema where name = 'letters_by_age'`).get()!;
  const size = file.prepare('pragma page_size').get()!;
  file.close();
  const fd = openSync(path, 'r+');
  const bytes = Number(size.page_size);
  writeSync(fd, Buffer.alloc(bytes, 0xff), 0, bytes, (Number(page.rootpage) - 1) * bytes);
  closeSync(fd);
  const moved: string[] = [];
  const { box } = clockedBoxIn(path, {
    setAside: (damaged, why) => {
      renameSync(damaged, `${damaged}.old`);
      moved.push(why);
    },
  });
  expect(box.count()).toBe(1);
  await box.add(letterOf(2));
  expect(moved).toEqual([expect.stringMatching(/malformed/)]);
  expect((await box.list()).map(numberOf)).toEqual([2]);
  expect(box.count()).toBe(1);
  expect(box.fault).toBeUndefined();
});
