/** The disk driver after it was stopped at any point, and on files that somebody or something has altered. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetriableError } from '../../src/core/errors.ts';
import type { Spool, Start } from '../../src/core/spool/contract.ts';
import { scanRecords } from '../../src/core/spool/disk/format.ts';
import { recordingLogger } from '../support/logger.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { drain, logged, numbered, numberedTo, numberOf, openOn, pullAll, SPOOL } from '../support/spool.ts';

const error = new RetriableError('not now', { reason: 'server_error' });
/** Room for about two alerts. */
const small = { segmentBytes: 500 };
const LOG = `${SPOOL.path}/log`;
const SET_ASIDE = `${SPOOL.path}/set-aside`;

async function numbersOf(spool: Spool, consumer = 'a', start?: Start): Promise<number[]> {
  return (await drain(spool.consumer(consumer, start))).map(numberOf);
}

/** A closed spool with alerts 1 to `count`, consumer `a` at the beginning. */
async function written(count: number, config: Partial<typeof SPOOL> = {}): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  const spool = await openOn(files, config);
  spool.consumer('a');
  for (let number = 1; number <= count; number++) await spool.append([numbered(number)]);
  await spool.close();
  expect(files.openFiles).toBe(0);
  return files.copyAll();
}

describe('reopened after close', () => {
  test('a consumer goes on where it was: what it had in hands comes first', async () => {
    const files = new MemoryFiles();
    const first = await openOn(files, small);
    const consumer = first.consumer('a');
    await first.append(numberedTo(10));
    const taken = await pullAll(consumer, 6);
    for (const index of [0, 2, 4]) taken[index]!.ack();
    taken[5]!.retry(3_600_000, error);
    await first.close();

    const second = await openOn(files.copyAll(), small);
    const next = second.consumer('a');
    expect(next.stats()).toMatchObject({ depth: 7, inFlight: 0, waiting: 0 });
    const deliveries = await drain(next);
    expect(deliveries.map(numberOf)).toEqual([2, 4, 6, 7, 8, 9, 10]);
    expect(deliveries.map(({ attempt }) => attempt)).toEqual(Array(7).fill(1));
    await second.append([numbered(11)]);
    expect((await drain(next)).map(numberOf)).toEqual([11]);
    expect(second.stats()).toMatchObject({ entries: 11, setAside: 0 });
    await second.close();
  });

  test('ten thousand alerts are read back in order, holding little memory', async () => {
    const files = await written(0);
    const spool = await openOn(files, { memoryBytes: 200_000, segmentBytes: 2_000_000 });
    for (let at = 0; at < 10_000; at += 100) await spool.append(numberedTo(100, at + 1));
    const [one, two] = [spool.consumer('a'), spool.consumer('b', 'beginning')];
    expect(spool.stats().memoryBytes).toBeLessThanOrEqual(200_000);
    const expected = Array.from({ length: 10_000 }, (_, index) => index + 1);
    const [first, second] = await Promise.all([pullAll(one, 10_000), pullAll(two, 10_000)]);
    expect(first.map(numberOf)).toEqual(expected);
    expect(second.map(numberOf)).toEqual(expected);
    await spool.close();
  });

  test('a consumer that reads from disk goes on where the newest file has grown', async () => {
    const spool = await openOn(new MemoryFiles(), { memoryBytes: 1 });
    const consumer = spool.consumer('a');
    for (let number = 1; number <= 20; number++) {
      await spool.append([numbered(number)]);
      expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([number]);
    }
    await spool.close();
  });

  test('segments that a consumer still needs for a retry stay, and no others', async () => {
    const files = new MemoryFiles();
    const config = { ...small, historyBytes: 0, historyAgeMs: 0 };
    const first = await openOn(files, config);
    const consumer = first.consumer('a');
    for (let number = 1; number <= 20; number++) await first.append([numbered(number)]);
    const taken = await pullAll(consumer, 20);
    for (const [index, delivery] of taken.entries()) {
      if (index === 10) delivery.retry(3_600_000, error);
      else delivery.ack();
    }
    await first.trim();
    expect(first.stats().firstOffset).toBeGreaterThan(8);
    await first.close();
    const second = await openOn(files.copyAll(), config);
    expect(await numbersOf(second)).toEqual([11]);
    await second.close();
  });
});

describe('reopened after a crash', () => {
  test('at any point, with writes torn anywhere: what was answered and not settled is there', async () => {
    const files = new MemoryFiles();
    const config = { segmentBytes: 700, historyBytes: 0, historyAgeMs: 0 };
    const spool = await openOn(files, config);
    const consumer = spool.consumer('a');
    /** Number → how many changes had been made when it was answered, or settled. */
    const answered = new Map<number, number>();
    const settled = new Map<number, number>();
    for (let number = 1; number <= 12; number++) {
      await spool.append([numbered(number)]);
      answered.set(number, files.changes.length);
      for (const delivery of consumer.take(2)) {
        const isKept = numberOf(delivery) % 3 === 0;
        if (!isKept) settled.set(numberOf(delivery), files.changes.length);
        if (isKept) delivery.retry(3_600_000, error);
        else delivery.ack();
      }
      if (number % 4 === 0) await spool.trim();
    }
    await spool.close();

    for (let count = 0; count <= files.changes.length; count++) {
      for (const torn of [0, 1, 30, 200]) {
        const again = await openOn(files.crashed(count, torn), config);
        const reader = again.consumer('a');
        const numbers = (await drain(reader)).map(numberOf);
        // What was trimmed had been settled, and the cursor knows.
        expect(reader.stats().dropped).toBe(0);
        const has = new Set(numbers);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(has.size).toBe(numbers.length);
        for (const [number, at] of answered) {
          if (at > count || (settled.get(number) ?? Number.POSITIVE_INFINITY) <= count) continue;
          expect(has, `alert ${number} after ${count} changes and ${torn} bytes`).toContain(number);
        }
        await again.append([numbered(100)]);
        expect(await logged(again)).toContain(100);
        await again.close();
      }
    }
  });

  test('a torn last record is cut off and counted, and writing goes on (F10)', async () => {
    const files = await written(3);
    const [path, bytes] = [...files.contents].find(([name]) => name.startsWith(LOG))!;
    const record = 24 + numbered(3).bytes.length;
    for (let missing = 1; missing < record; missing++) {
      files.contents.set(path, bytes.subarray(0, bytes.length - missing));
      const log = recordingLogger();
      const copy = files.copyAll();
      await (await openOn(copy)).close();
      const cut = await openOn(copy.copyAll());
      expect(cut.stats().setAside).toBe(0);
      await cut.close();
      const torn = files.copyAll();
      const spool = await openOn(torn, {}, { log });
      expect(spool.stats().setAside).toBe(1);
      expect(log.lines.some(({ level }) => level === 'error')).toBe(true);
      await spool.append([numbered(4)]);
      expect(await numbersOf(spool)).toEqual([1, 2, 4]);
      await spool.close();
      const again = await openOn(torn.copyAll());
      expect(again.stats().setAside).toBe(0);
      expect(await numbersOf(again)).toEqual([1, 2, 4]);
      await again.close();
    }
  });

  test('a cursor never points past alerts that were lost with the power', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files);
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(5));
    for (const delivery of consumer.take(5)) delivery.ack();
    await spool.close();
    // The cursors reached the device, the end of the log did not.
    const crashed = files.copyAll();
    const [path, bytes] = [...crashed.contents].find(([name]) => name.startsWith(LOG))!;
    crashed.contents.set(path, bytes.subarray(0, bytes.length - 2 * (24 + numbered(1).bytes.length)));
    const again = await openOn(crashed.copyAll());
    await again.append([numbered(6), numbered(7)]);
    expect(await numbersOf(again)).toEqual([6, 7]);
    expect(await logged(again)).toEqual([1, 2, 3, 6, 7]);
    await again.close();
  });
});

test('with durability power the cursor of a new output survives with the first alert for it', async () => {
  const files = new MemoryFiles();
  const first = await openOn(files, { durability: 'power' });
  first.consumer('a');
  await first.append([numbered(1)]);
  await first.close();
  const name = `${SPOOL.path}/cursors`;
  const old = files.contents.get(name)!;
  const second = await openOn(files, { durability: 'power' });
  second.consumer('b');
  await second.append([numbered(2)]);
  // The power fails: the newest renaming, which nobody waited for, is undone.
  const crashed = files.copyAll();
  crashed.contents.set(name, old);
  const third = await openOn(crashed, { durability: 'power' });
  expect(await numbersOf(third, 'b')).toEqual([2]);
  expect(await numbersOf(third, 'a')).toEqual([1, 2]);
  await Promise.all([second.close(), third.close()]);
});

describe('altered files', () => {
  test('a flipped byte anywhere in the log costs at most one alert, and is counted', async () => {
    const files = await written(6, small);
    const paths = [...files.contents.keys()].filter(path => path.startsWith(LOG));
    expect(paths.length).toBeGreaterThan(2);
    for (const path of paths) {
      const original = files.contents.get(path)!;
      for (let at = 0; at < original.length; at++) {
        const bytes = Buffer.from(original);
        bytes[at]! ^= 1 << (at % 8);
        files.contents.set(path, bytes);
        const spool = await openOn(files.copyAll(), small);
        const numbers = await numbersOf(spool);
        const lost = [1, 2, 3, 4, 5, 6].filter(number => !numbers.includes(number));
        expect(lost.length, `byte ${at} of ${path}`).toBeLessThanOrEqual(1);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(spool.stats().setAside).toBeGreaterThan(0);
        await spool.append([numbered(7)]);
        expect(await logged(spool)).toEqual([...numbers, 7]);
        await spool.close();
      }
      files.contents.set(path, original);
    }
  });

  test('a damaged piece is kept for whoever wants to look at it', async () => {
    const files = await written(6, small);
    const path = [...files.contents.keys()].find(name => name.startsWith(LOG))!;
    files.contents.get(path)!.fill(0, 40, 60);
    const copy = files.copyAll();
    const spool = await openOn(copy, small);
    expect(await numbersOf(spool)).toEqual([2, 3, 4, 5, 6]);
    const kept = [...copy.contents.keys()].filter(name => name.startsWith(SET_ASIDE));
    expect(kept).toEqual([`${SET_ASIDE}/0000000000000001.log.32`]);
    expect(copy.contents.get(kept[0]!)).toHaveLength(24 + numbered(1).bytes.length);
    await spool.close();
  });

  test('a damaged stretch of any length and place costs the alerts in it only, and is counted once', async () => {
    const config = { segmentBytes: 2_000_000 };
    const files = new MemoryFiles();
    const first = await openOn(files, config);
    first.consumer('a');
    for (let number = 1; number <= 600; number++) {
      // Some are longer than what is read at once.
      await first.append([numbered(number, 'x'.repeat(number % 100 === 0 ? 200_000 : 3_000))]);
    }
    await first.close();
    const path = [...files.contents.keys()].find(name => name.startsWith(LOG))!;
    const sound = files.contents.get(path)!;
    const { records } = scanRecords(sound.subarray(32), {
      position: 32,
      fileSize: sound.length,
      minOffset: 1,
      maxOffset: 601,
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.boolean(), async (place, length, isZeroed) => {
        const from = 32 + (place % (sound.length - 32));
        const to = Math.min(sound.length, from + 1 + (length % sound.length));
        const copy = files.copyAll();
        const bytes = copy.contents.get(path)!;
        for (let at = from; at < to; at++) bytes[at] = isZeroed ? 0 : bytes[at]! ^ 0xff;
        // Zeroes over zeroes damage nothing.
        const isSound = (start: number, end: number) =>
          bytes.subarray(start, end).equals(sound.subarray(start, end));
        const hit = records.filter(({ position, end }) => !isSound(position, end));
        fc.pre(hit.length > 0);
        const spool = await openOn(copy, config);
        const numbers = await numbersOf(spool);
        const isHit = new Set(hit.map(({ offset }) => offset));
        expect(numbers).toEqual(Array.from({ length: 600 }, (_, at) => at + 1).filter(n => !isHit.has(n)));
        expect(await numbersOf(spool, 'b', 'beginning')).toEqual(numbers);
        expect(spool.stats()).toMatchObject({ setAside: 1, entries: numbers.length });
        const kept = [...copy.contents].filter(([name]) => name.startsWith(SET_ASIDE));
        expect(kept.reduce((sum, [, { length }]) => sum + length, 0)).toBe(
          hit.at(-1)!.end - hit[0]!.position,
        );
        await spool.close();
      }),
      {
        numRuns: 30,
        examples: [
          [0, 0, true],
          [200_000, 400_000, true],
          [0, 1_999_999, false],
        ],
      },
    );
  });

  test('a segment cut short in the middle of the log costs its end only', async () => {
    const files = await written(9, { segmentBytes: 1000 });
    const paths = [...files.contents.keys()].filter(name => name.startsWith(LOG)).sort();
    const bytes = files.contents.get(paths[0]!)!;
    files.contents.set(paths[0]!, bytes.subarray(0, bytes.length - 10));
    const spool = await openOn(files.copyAll());
    const numbers = await numbersOf(spool);
    expect(numbers).toHaveLength(8);
    expect(spool.consumer('b', 'beginning').stats().depth).toBe(8);
    expect(spool.stats()).toMatchObject({ entries: 8, setAside: 1 });
    await spool.close();
  });

  test('foreign files and unknown versions are set aside, the rest is read', async () => {
    const files = await written(4, small);
    const paths = [...files.contents.keys()].filter(name => name.startsWith(LOG)).sort();
    const future = Buffer.from(files.contents.get(paths[0]!)!);
    future.writeUInt32LE(2, 8);
    // The checksum of a header with version 2, as a later release would write it.
    const { crc32 } = await import('node:zlib');
    future.writeUInt32LE(crc32(future.subarray(0, 28)), 28);
    files.contents.set(paths[0]!, future);
    files.contents.set(`${LOG}/notes.txt`, Buffer.from('hello'));
    files.contents.set(
      `${LOG}/0000000000000777.log`,
      Buffer.from('not a log at all, but longer than a header'),
    );
    files.contents.set(`${LOG}/0000000000000888.log`, Buffer.alloc(0));
    const log = recordingLogger();
    const copy = files.copyAll();
    const spool = await openOn(copy, small, { log });
    const numbers = await numbersOf(spool);
    expect(numbers).toEqual([3, 4]);
    expect(spool.stats().setAside).toBe(3);
    await spool.append([numbered(5)]);
    expect(await logged(spool)).toEqual([3, 4, 5]);
    const kept = [...copy.contents.keys()].filter(name => name.startsWith(SET_ASIDE)).sort();
    expect(kept.map(name => name.slice(SET_ASIDE.length + 1))).toEqual([
      '0000000000000001.log',
      '0000000000000777.log',
      'notes.txt',
    ]);
    await spool.close();
  });

  test.each(['', 'tiercel-cursors 1 0\n{}\n', 'tiercel-cursors 2 5\n{}\n', 'garbage'])(
    'cursors that read %j: the older copy counts, and without it every alert comes again',
    async text => {
      const files = new MemoryFiles();
      const first = await openOn(files);
      for (const delivery of await deliver(first, 4)) if (numberOf(delivery) <= 2) delivery.ack();
      await first.close();
      const name = `${SPOOL.path}/cursors`;

      const withCopy = files.copyAll();
      withCopy.contents.set(name, Buffer.from(text));
      const second = await openOn(withCopy);
      expect(await numbersOf(second)).toEqual([3, 4]);
      expect(second.stats().setAside).toBe(1);
      await second.close();

      const without = files.copyAll();
      without.contents.set(name, Buffer.from(text));
      without.contents.delete(`${name}.backup`);
      const third = await openOn(without);
      expect(await numbersOf(third)).toEqual([1, 2, 3, 4]);
      await third.close();

      const gone = files.copyAll();
      gone.contents.delete(name);
      gone.contents.delete(`${name}.backup`);
      const fourth = await openOn(gone);
      expect(await numbersOf(fourth)).toEqual([1, 2, 3, 4]);
      await fourth.close();
    },
  );
});

test('with all cursors lost the outputs of the start begin at the oldest alert, one that is added later at the next', async () => {
  const files = await written(3);
  for (const name of ['cursors', 'cursors.backup']) files.contents.delete(`${SPOOL.path}/${name}`);
  const spool = await openOn(files);
  expect(await numbersOf(spool, 'a')).toEqual([1, 2, 3]);
  expect(await numbersOf(spool, 'b')).toEqual([1, 2, 3]);
  spool.retain(['a', 'b']);
  const added = spool.consumer('c');
  await spool.append([numbered(4)]);
  expect((await drain(added)).map(numberOf)).toEqual([4]);
  await spool.close();
});

async function deliver(spool: Spool, count: number) {
  const consumer = spool.consumer('a');
  await spool.append(numberedTo(count));
  return consumer.take(count);
}
