import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { SpoolFaultError } from '../../../src/core/spool/contract.ts';
import { nodeFiles } from '../../../src/core/spool/disk/files.ts';
import { boxIn, letterOf } from '../../support/letters.ts';
import { numberOf, realClock } from '../../support/spool.ts';

const MIB = 2 ** 20;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiercel-letters-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A file with small letters 1 to `count`, of the outputs a and b in turn; written in one go. */
async function filled(path: string, count: number): Promise<void> {
  const { box } = boxIn(path);
  await box.add(letterOf(1));
  box.close();
  const file = new DatabaseSync(path);
  file.exec('begin');
  const insert = file.prepare(
    `insert into letters (output, rule, alert, error, reason, attempts, buried_at)
    select ?, ?, alert, error, reason, attempts, ? from letters where id = 1`,
  );
  for (let number = 2; number <= count; number++) {
    insert.run(number % 2 ? 'a' : 'b', `rule ${number}`, number);
  }
  file.exec('commit');
  file.close();
}

/** Does the work, and counts the turns that others had meanwhile. */
async function turnsDuring<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const result = await work();
  isOver = true;
  return { result, turns };
}

/** Whether a small file system can be mounted here; with CI=true it has to. */
const canMount = process.env.CI === 'true' || process.getuid?.() === 0;
const volumes: string[] = [];
afterEach(() => {
  for (const volume of volumes.splice(0)) execFileSync('umount', ['-l', volume]);
});

/** A disk with 20 MiB. */
function mountVolume(): string {
  const volume = join(folder, 'volume');
  mkdirSync(volume);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', volume], { stdio: 'pipe' });
  volumes.push(volume);
  return volume;
}

describe('room on the disk', () => {
  test('letters that are removed give theirs back', async () => {
    const path = join(folder, 'letters.sqlite');
    const { box } = boxIn(path);
    for (let number = 1; number <= 120; number++)
      await box.add(letterOf(number, 100_000, number % 2 ? 'a' : 'b'));
    expect(statSync(path).size).toBeGreaterThan(11 * MIB);
    expect(await box.remove({ output: 'a' })).toBe(60);
    await expect.poll(() => statSync(path).size).toBeLessThan(8 * MIB);
    await expect.poll(() => statSync(`${path}-wal`).size).toBeLessThanOrEqual(MIB);
    expect(await box.remove({})).toBe(60);
    expect(statSync(path).size + statSync(`${path}-wal`).size).toBeLessThan(MIB / 2);
    // What has read an id before must not meet it again.
    expect(await box.add(letterOf(1))).toBe(121);
  });

  test('a file of before, which cannot shrink: a small one is converted, a large one gives it back once it is empty', async () => {
    for (const [name, letters] of [
      ['small', 60],
      ['large', 120],
    ] as const) {
      const path = join(folder, `${name}.sqlite`);
      const { box: first } = boxIn(path);
      for (let number = 1; number <= letters; number++) await first.add(letterOf(number, 100_000));
      first.close();
      const file = new DatabaseSync(path);
      file.exec('pragma auto_vacuum = none; vacuum;');
      file.close();
      const { box } = boxIn(path);
      expect(await box.remove({ limit: letters - 10 })).toBe(letters - 10);
      if (name === 'small') await expect.poll(() => statSync(path).size).toBeLessThan(3 * MIB);
      expect(box.count()).toBe(10);
      expect(await box.remove({ output: 'a' })).toBe(10);
      expect(statSync(path).size).toBeLessThan(MIB);
    }
  });

  test.each(['letters.sqlite', ':memory:'])('is limited: the oldest letters go (%s)', async name => {
    const path = name === ':memory:' ? name : join(folder, name);
    const { box, log } = boxIn(path, { maxBytes: 2 * MIB });
    for (let number = 1; number <= 60; number++) {
      await box.add(letterOf(number, 100_000));
      await expect.poll(() => box.bytes).toBeLessThanOrEqual(2 * MIB);
    }
    const kept = (await box.list()).map(numberOf);
    expect(kept.length).toBeGreaterThan(15);
    expect(kept).toEqual(kept.map((_, index) => 60 - index));
    expect(box.dropped).toBe(60 - kept.length);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    // One that is larger than all of it is kept: it would be lost, and so would the next.
    await box.add(letterOf(61, 3 * MIB));
    await expect.poll(() => box.count()).toBe(1);
    expect((await box.list()).map(numberOf)).toEqual([61]);
  });

  test.skipIf(!canMount).each([
    ['some of them', { output: 'a' }, 100_000, true],
    ['some large ones', { output: 'a' }, 1_500_000, true],
    ['all', {}, 100_000, true],
    ['all, with no reserve', {}, 100_000, false],
  ])(
    'on a full disk letters can be removed, %s, and then stored again',
    async (_, filter, bytes, hasReserve) => {
      const volume = mountVolume();
      let monotonic = 0;
      const { box } = boxIn(join(volume, 'letters.sqlite'), {
        clock: { ...realClock, monotonic: () => monotonic },
      });
      const fill = async () => {
        for (let number = 1; ; number++) await box.add(letterOf(number, bytes, number % 2 ? 'a' : 'b'));
      };
      await expect(fill()).rejects.toThrow(/full/);
      const stored = box.count();
      // Others take what is left.
      if (!hasReserve) rmSync(join(volume, 'letters.sqlite-reserve'));
      expect(() => writeFileSync(join(volume, 'others'), Buffer.alloc(20 * MIB))).toThrow('ENOSPC');
      const fit = [...(await box.tally(filter)).values()].reduce((sum, count) => sum + count);
      expect(await box.remove(filter)).toBe(fit);
      expect(box.count()).toBe(stored - fit);
      await expect.poll(() => free(volume)).toBeGreaterThan(3 * MIB);
      monotonic += 10_000;
      for (let number = 1; number <= 20; number++) await box.add(letterOf(number, 50_000));
      expect(box.fault).toBeUndefined();
      box.close();
      const { box: again } = boxIn(join(volume, 'letters.sqlite'));
      expect(again.count()).toBe(stored - fit + 20);
    },
  );
});

test.skipIf(!canMount)(
  'on a full disk, a limit that is lower now makes room when a letter comes',
  async () => {
    const volume = mountVolume();
    const path = join(volume, 'letters.sqlite');
    const { box: first } = boxIn(path);
    for (let number = 1; number <= 60; number++) await first.add(letterOf(number, 100_000));
    first.close();
    expect(() => writeFileSync(join(volume, 'others'), Buffer.alloc(20 * MIB))).toThrow('ENOSPC');
    let monotonic = 0;
    const clock = { ...realClock, monotonic: () => monotonic };
    const { box } = boxIn(path, { maxBytes: 2 * MIB, clock });
    await expect(box.add(letterOf(61, 100_000))).rejects.toThrow(SpoolFaultError);
    await expect.poll(() => box.bytes).toBeLessThanOrEqual(2 * MIB);
    monotonic += 10_000;
    await box.add(letterOf(61, 100_000));
    expect((await box.list({ limit: 1 })).map(numberOf)).toEqual([61]);
  },
);

function free(volume: string): number {
  return Number(execFileSync('df', ['-B1', '--output=avail', volume]).toString().split('\n')[1]);
}

describe('many letters at once', () => {
  const COUNT = 12_000;

  test('are removed while others have their turns, and those that come meanwhile stay', async () => {
    const path = join(folder, 'letters.sqlite');
    await filled(path, COUNT);
    const { box } = boxIn(path);
    const { result, turns } = await turnsDuring(async () => {
      const removing = box.remove({ output: 'a' });
      await box.add(letterOf(COUNT + 1));
      return removing;
    });
    expect(result).toBe(COUNT / 2);
    expect(turns).toBeGreaterThan(5);
    expect([box.count('a'), box.count('b'), box.count()]).toEqual([1, COUNT / 2, COUNT / 2 + 1]);
    expect(await box.tally({})).toEqual(
      new Map([
        ['a', 1],
        ['b', COUNT / 2],
      ]),
    );
  });

  test('two removals of the same letters count each once', async () => {
    const path = join(folder, 'letters.sqlite');
    await filled(path, COUNT);
    const { box } = boxIn(path);
    const removed = await Promise.all([box.remove({ since: 0 }), box.remove({ output: 'b' })]);
    expect(removed[0]! + removed[1]!).toBe(COUNT);
    expect(box.count()).toBe(0);
  });

  test.each([
    [{ since: COUNT - 2_500 }, 2_501],
    [{ since: COUNT - 2_500, output: 'b' }, 1_251],
    [{ rule: 'rule 7' }, 1],
    [{ ids: [1, 5, 5, COUNT, COUNT + 1] }, 3],
    [{ ids: [1, 5, COUNT], since: 5, output: 'a' }, 1],
    [{ before: 2_001 }, 2_000],
    [{ limit: 1_500, output: 'b' }, 1_500],
  ])('%j', async (filter, expected) => {
    const path = join(folder, 'letters.sqlite');
    await filled(path, COUNT);
    const { box } = boxIn(path);
    expect(await box.remove(filter)).toBe(expected);
    expect(box.count()).toBe(COUNT - expected);
    if ('limit' in filter)
      expect((await box.list({ limit: 2 })).map(({ id }) => id)).toEqual([11_999, 11_997]);
  });

  test.each([
    ['too many', { maxCount: 10 }, 10],
    ['too old', { maxAgeMs: 60_000 }, 1],
    ['too large', { maxBytes: 65_536 }, undefined],
  ])('go by and by when they are %s', async (_, limits, kept) => {
    const path = join(folder, 'letters.sqlite');
    await filled(path, COUNT);
    const { box } = boxIn(path, limits);
    const { turns } = await turnsDuring(async () => {
      await box.add({ ...letterOf(COUNT + 1), buriedAt: Date.now() });
      // The letter is stored: nobody waits for the others.
      expect(box.count()).toBeGreaterThan(COUNT / 2);
      await expect.poll(() => box.dropped + box.count()).toBe(COUNT + 1);
      if (kept !== undefined) await expect.poll(() => box.count(), { timeout: 10_000 }).toBe(kept);
      else await expect.poll(() => box.bytes, { timeout: 10_000 }).toBeLessThanOrEqual(65_536);
    });
    expect(turns).toBeGreaterThan(5);
    expect(box.dropped + box.count()).toBe(COUNT + 1);
    expect((await box.list({ limit: 1 })).map(numberOf)).toEqual([COUNT + 1]);
  });

  test('do not grow old by a clock that is set forward', async () => {
    let now = 1000;
    let monotonic = 0;
    const clock = { ...realClock, now: () => now, monotonic: () => monotonic };
    const { box } = boxIn(join(folder, 'letters.sqlite'), { maxAgeMs: 60_000, clock });
    const add = (number: number) => box.add({ ...letterOf(number), buriedAt: now });
    await add(1);
    monotonic += 1000;
    now = Date.parse('2026-01-31T12:00:00Z');
    await add(2);
    expect(box.count()).toBe(2);
    now += 62_000;
    monotonic += 62_000;
    await add(3);
    expect((await box.list()).map(numberOf)).toEqual([3]);
  });

  test('a stop in between: what is gone is gone, the rest stays, and the one who waits is told', async () => {
    const path = join(folder, 'letters.sqlite');
    await filled(path, COUNT);
    const { box } = boxIn(path, { maxCount: 100 });
    await box.add(letterOf(COUNT + 1));
    const removing = box.remove({ output: 'a' });
    box.close();
    await expect(removing).rejects.toThrow(SpoolFaultError);
    // Whatever would go on by itself has had its time.
    await new Promise(resolve => setTimeout(resolve, 50));
    const { box: again } = boxIn(path);
    const left = again.count();
    expect(left).toBeGreaterThan(COUNT / 2);
    expect((await again.list({ limit: 1 })).length).toBe(1);
    expect([...(await again.tally({})).values()].reduce((sum, count) => sum + count)).toBe(left);
  });
});

describe('on the device', () => {
  test('letters are brought there once, and nothing when there are none', async () => {
    const path = join(folder, 'letters.sqlite');
    const synced = vi.spyOn(nodeFiles, 'datasync');
    const folders = vi.spyOn(nodeFiles, 'syncFolder');
    onTestFinished(() => void vi.restoreAllMocks());
    const { box } = boxIn(path);
    let told = 0;
    box.onWritten = () => told++;
    await box.sync();
    expect(synced).not.toHaveBeenCalled();
    await box.add(letterOf(1));
    expect(told).toBe(1);
    await box.sync();
    expect([synced.mock.calls.length, folders.mock.calls.length]).toEqual([1, 1]);
    await box.sync();
    await box.add(letterOf(2));
    await box.sync();
    expect([synced.mock.calls.length, folders.mock.calls.length]).toEqual([2, 1]);
    // What failed is still to be done.
    await box.add(letterOf(3));
    synced.mockRejectedValueOnce(new Error('EIO'));
    await expect(box.sync()).rejects.toThrow('EIO');
    await box.sync();
    expect(synced).toHaveBeenCalledTimes(4);
  });

  test('nothing is to be done where SQLite waits for it with each letter', async () => {
    const { box } = boxIn(join(folder, 'letters.sqlite'), { durable: true });
    const synced = vi.spyOn(nodeFiles, 'datasync');
    onTestFinished(() => void vi.restoreAllMocks());
    await box.add(letterOf(1));
    await box.sync();
    expect(synced).not.toHaveBeenCalled();
  });
});

test.each([
  ['removed', () => {}],
  ['replaced', (path: string) => filled(path, 3)],
])(
  'a file that is %s while it is open: the next letter is not lost with it, and the log says so',
  async (_, put) => {
    const path = join(folder, 'letters.sqlite');
    const { box, log } = boxIn(path);
    await box.add(letterOf(1));
    await box.add(letterOf(2));
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    await put(path);
    await box.add(letterOf(7));
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/removed or replaced/),
        fields: { file: path, letters: 2 },
      }),
    ]);
    const count = box.count();
    box.close();
    const { box: again } = boxIn(path);
    expect((await again.list({ limit: 1 })).map(numberOf)).toEqual([7]);
    expect(again.count()).toBe(count);
  },
);
