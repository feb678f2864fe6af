/** The disk driver on a disk with too little space: what nobody needs goes first, and no output holds another back. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Consumer, type Spool, SpoolFaultError } from '../../src/core/spool/contract.ts';
import { recordingLogger } from '../support/logger.ts';
import { fileError, MemoryFiles } from '../support/memory-files.ts';
import { drain, numbered, numberedTo, numberOf, openOn } from '../support/spool.ts';

const TEXT = 'x'.repeat(1000);
const LOST = 'alerts that could not be written to disk are lost with this process';

/** How an append of one alert went. */
type Outcome = 'durable' | 'in memory' | 'refused';

async function append(spool: Spool, number: number): Promise<Outcome> {
  try {
    await spool.append([numbered(number, TEXT)]);
    return 'durable';
  } catch (error) {
    expect(error).toBeInstanceOf(SpoolFaultError);
    return (error as SpoolFaultError).isTaken ? 'in memory' : 'refused';
  }
}

/** Appends, on fake timers, until the disk is full; the number of the last alert, which went to memory only. */
async function fillUp(spool: Spool, appended: (number: number) => void = () => {}): Promise<number> {
  for (let number = 1; ; number++) {
    const outcome = append(spool, number);
    await vi.advanceTimersByTimeAsync(1);
    const isFull = (await outcome) !== 'durable';
    appended(number);
    if (isFull) return number;
  }
}

/** Takes all there is without waiting and settles it. */
function settle(consumer: Consumer): number[] {
  const deliveries = consumer.take(1000);
  for (const delivery of deliveries) delivery.ack();
  return deliveries.map(numberOf);
}

function refuseWrites(files: MemoryFiles, code: string): void {
  files.refuse = operation => (operation === 'write' ? fileError(code) : undefined);
}

const upTo = (count: number, from = 1) =>
  Array.from({ length: count - from + 1 }, (_, index) => from + index);

describe('a disk full of history', () => {
  test.each([16 * 1024, 1024 * 1024])(
    'the oldest history goes and every alert is taken (segments of %d bytes)',
    async segmentBytes => {
      const files = new MemoryFiles();
      const log = recordingLogger();
      const spool = await openOn(files, { segmentBytes }, { log });
      const consumer = spool.consumer('a');
      files.capacity = 200_000;
      for (const number of upTo(600)) {
        expect(await append(spool, number), `alert ${number}`).toBe('durable');
        expect(settle(consumer)).toEqual([number]);
      }
      expect(spool.stats()).toMatchObject({ fault: undefined, setAside: 0 });
      expect(consumer.stats()).toMatchObject({ depth: 0, dropped: 0 });
      const told = log.lines.filter(({ message }) => message.includes('the disk is full'));
      expect(told).toHaveLength(1);
      expect(told[0]!.fields.bytes).toBeGreaterThan(0);
      expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
      await append(spool, 601);
      await spool.close();
      const again = await openOn(files.copyAll());
      expect((await drain(again.consumer('a'))).map(numberOf)).toEqual([601]);
      expect(again.consumer('a2').stats().dropped).toBe(0);
      await again.close();
    },
  );

  test('a quota counts as well, and only as much goes as is needed', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files, { segmentBytes: 16 * 1024 });
    const consumer = spool.consumer('a');
    for (const number of upTo(300)) {
      await append(spool, number);
      settle(consumer);
    }
    const { bytes } = spool.stats();
    files.refuse = operation =>
      operation === 'write' && spool.stats().bytes === bytes ? fileError('EDQUOT') : undefined;
    expect(await append(spool, 301)).toBe('durable');
    expect(spool.stats().bytes).toBeLessThan(bytes);
    expect(spool.stats().bytes).toBeGreaterThan(bytes - 128 * 1024);
    await spool.close();
  });

  test('what is settled only later makes room without a new alert', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const spool = await openOn(files, { segmentBytes: 16 * 1024, overflow: 'reject' });
    const consumer = spool.consumer('a');
    files.capacity = 100_000;
    const taken = await fillUp(spool);
    expect(spool.stats().fault).toContain('ENOSPC');
    expect(settle(consumer)).toEqual(upTo(taken));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(spool.stats().fault).toBeUndefined();
    await spool.close();
  });
});

describe('a disk full of what an output has not read', () => {
  async function fill(overflow: 'drop-oldest' | 'reject', files: MemoryFiles) {
    const log = recordingLogger();
    const spool = await openOn(files, { segmentBytes: 16 * 1024, overflow }, { log });
    const [healthy, dead] = [spool.consumer('healthy'), spool.consumer('dead')];
    files.capacity = 100_000;
    const taken = await fillUp(spool, number => expect(settle(healthy)).toEqual([number]));
    return { spool, log, healthy, dead, taken };
  }

  test('drop-oldest: nothing goes at first; after ten seconds the oldest does, and all is written', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const { spool, log, dead, taken } = await fill('drop-oldest', files);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(dead.stats()).toMatchObject({ depth: taken, dropped: 0 });
    expect(spool.stats().fault).toContain('ENOSPC');
    await vi.advanceTimersByTimeAsync(4_000);
    expect(spool.stats().fault).toBeUndefined();
    const { depth, dropped } = dead.stats();
    expect(dropped).toBeGreaterThan(0);
    expect(depth + dropped).toBe(taken);
    expect(log.lines.find(({ fields }) => 'dropped' in fields)!.fields.dropped).toEqual({ dead: dropped });
    vi.useRealTimers();
    await spool.close();
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('dead'))).map(numberOf)).toEqual(upTo(taken, dropped + 1));
    await again.close();
  });

  test('reject: nothing goes, however long it lasts', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const { spool, dead, taken } = await fill('reject', files);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dead.stats()).toMatchObject({ depth: taken, dropped: 0 });
    files.capacity = Number.POSITIVE_INFINITY;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(spool.stats().fault).toBeUndefined();
    vi.useRealTimers();
    await spool.close();
  });

  test('where dropping brings no space, no more than one piece of the log goes for it', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const spool = await openOn(files, { segmentBytes: 16 * 1024 });
    const dead = spool.consumer('dead');
    for (const number of upTo(300)) {
      const appended = append(spool, number);
      await vi.advanceTimersByTimeAsync(1);
      await appended;
    }
    refuseWrites(files, 'ENOSPC');
    const appended = append(spool, 301);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await appended).toBe('in memory');
    expect(dead.stats().depth).toBeGreaterThan(200);
    vi.useRealTimers();
    await spool.close();
  });
});

describe.each(['ENOSPC', 'EIO'])('a disk that refuses (%s) and a dead output', code => {
  test('drop-oldest: alerts are taken, the healthy output gets all, the dead one loses the oldest', async () => {
    const files = new MemoryFiles();
    const log = recordingLogger();
    const spool = await openOn(files, { memoryBytes: 100_000 }, { log });
    const [healthy, dead] = [spool.consumer('healthy'), spool.consumer('dead')];
    refuseWrites(files, code);
    for (const number of upTo(200)) {
      expect(await append(spool, number)).toBe('in memory');
      expect(settle(healthy)).toEqual([number]);
    }
    expect(spool.stats().memoryBytes).toBeLessThanOrEqual(100_000);
    expect(healthy.stats()).toMatchObject({ depth: 0, dropped: 0 });
    const { depth, dropped } = dead.stats();
    expect(depth).toBeGreaterThan(5);
    expect(depth + dropped).toBe(200);
    expect(log.lines.find(({ fields }) => 'dropped' in fields)).toMatchObject({
      level: 'warn',
      fields: { dropped: { dead: expect.any(Number) } },
    });
    files.refuse = () => undefined;
    expect(await append(spool, 201)).toBe('durable');
    await spool.close();
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('dead'))).map(numberOf)).toEqual(upTo(201, dropped + 1));
    expect((await drain(again.consumer('healthy'))).map(numberOf)).toEqual([201]);
    await again.close();
  });

  test('drop-oldest: what the dead output has on disk is older than what goes from memory, and stays', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files, { memoryBytes: 100_000 });
    const dead = spool.consumer('dead');
    for (const number of upTo(50)) await append(spool, number);
    // A fault of the device is not for want of space: nothing on disk goes for it.
    refuseWrites(files, 'EIO');
    for (const number of upTo(200, 51)) expect(await append(spool, number)).toBe('in memory');
    const { depth, dropped } = dead.stats();
    expect(depth + dropped).toBe(200);
    files.refuse = () => undefined;
    const numbers = (await drain(dead)).map(numberOf);
    expect(numbers).toEqual([...upTo(50), ...upTo(200, 51 + dropped)]);
    await spool.close();
  });

  test.each(['a reload', 'the end'])(
    'drop-oldest: what was in hands and went from memory is counted at %s',
    async when => {
      const files = new MemoryFiles();
      const log = recordingLogger();
      const spool = await openOn(files, { memoryBytes: 40_000 }, { log });
      const [healthy, dead] = [spool.consumer('healthy'), spool.consumer('dead')];
      await append(spool, 1);
      settle(healthy);
      refuseWrites(files, 'EIO');
      for (const number of upTo(5, 2)) await append(spool, number);
      expect(healthy.take(10)).toHaveLength(4);
      for (const number of upTo(60, 6)) {
        await append(spool, number);
        settle(healthy);
      }
      expect(dead.stats().dropped).toBeGreaterThan(4);
      expect(healthy.stats()).toMatchObject({ depth: 4, dropped: 0 });
      files.refuse = () => undefined;
      await append(spool, 61);
      if (when === 'a reload') {
        healthy.close();
        const again = spool.consumer('healthy');
        expect((await drain(again)).map(numberOf)).toEqual([61]);
        expect(again.stats().dropped).toBe(4);
      }
      await spool.close();
      const told = log.lines.flatMap(({ fields }) => (fields.dropped ? [fields.dropped] : []));
      expect(told).toContainEqual(expect.objectContaining({ healthy: 4 }));
      const later = await openOn(files.copyAll());
      expect((await drain(later.consumer('healthy'))).map(numberOf)).toEqual([61]);
      await later.close();
    },
  );

  test('drop-oldest: what went from memory is counted once, also when the log drops what is around it later', async () => {
    const files = new MemoryFiles();
    const config = { memoryBytes: 40_000, segmentBytes: 16 * 1024 };
    const spool = await openOn(files, config);
    const dead = spool.consumer('dead');
    for (const number of upTo(50)) await append(spool, number);
    refuseWrites(files, 'EIO');
    for (const number of upTo(200, 51)) await append(spool, number);
    files.refuse = () => undefined;
    for (const number of upTo(250, 201)) await append(spool, number);
    const { depth, dropped } = dead.stats();
    expect(dropped).toBeGreaterThan(50);
    expect(depth).toBe(250 - dropped);
    await spool.close();
    const again = await openOn(files.copyAll(), { ...config, maxBytes: 65_536 });
    const same = again.consumer('dead');
    expect(same.stats()).toMatchObject({ depth, dropped: 0 });
    for (const number of upTo(400, 251)) await append(again, number);
    expect(same.stats().dropped + same.stats().depth).toBe(400 - dropped);
    await again.close();
  });

  test('reject: alerts beyond the memory are refused, none is dropped', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files, { memoryBytes: 100_000, overflow: 'reject' });
    const dead = spool.consumer('dead');
    refuseWrites(files, code);
    const outcomes: Outcome[] = [];
    for (const number of upTo(200)) outcomes.push(await append(spool, number));
    expect(outcomes.at(-1)).toBe('refused');
    const taken = outcomes.filter(outcome => outcome === 'in memory').length;
    expect(dead.stats()).toMatchObject({ depth: taken, dropped: 0 });
    await spool.close();
  });
});

describe('stopping while the disk refuses', () => {
  test('nothing is called lost that every output has settled', async () => {
    const files = new MemoryFiles();
    const log = recordingLogger();
    const spool = await openOn(files, {}, { log });
    const consumer = spool.consumer('a');
    refuseWrites(files, 'EIO');
    for (const number of upTo(20)) await append(spool, number);
    expect(settle(consumer)).toEqual(upTo(20));
    await spool.close();
    expect(log.lines.filter(({ message }) => message === LOST)).toEqual([]);
  });

  test('what an output still wants is counted', async () => {
    const files = new MemoryFiles();
    const log = recordingLogger();
    const spool = await openOn(files, {}, { log });
    const [first, second] = [spool.consumer('first'), spool.consumer('second')];
    refuseWrites(files, 'EIO');
    await spool.append(numberedTo(20))?.catch(() => {});
    settle(first);
    for (const [index, delivery] of second.take(15).entries()) if (index >= 3) delivery.ack();
    await spool.close();
    expect(log.lines.filter(({ message }) => message === LOST)).toMatchObject([
      { level: 'error', fields: { alerts: 8 } },
    ]);
  });
});
