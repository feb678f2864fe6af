/** The disk driver on a disk that refuses: alerts go out from memory, nothing that was promised is lost. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { PermanentError } from '../../src/core/errors.ts';
import { type Delivery, type Spool, SpoolFaultError } from '../../src/core/spool/contract.ts';
import { recordingLogger } from '../support/logger.ts';
import { loopHasSlept } from '../support/loop.ts';
import { fileError, MemoryFiles, type Operation } from '../support/memory-files.ts';
import { drain, logged, numbered, numberedTo, numberOf, openOn, pullAll, SPOOL } from '../support/spool.ts';

const LOG = `${SPOOL.path}/log`;

function refusing(files: MemoryFiles, code: string, operations: Operation[]): void {
  files.refuse = operation => (operations.includes(operation) ? fileError(code) : undefined);
}

function healed(files: MemoryFiles): void {
  files.refuse = () => undefined;
  files.shortWrite = Number.POSITIVE_INFINITY;
}

/** Appends one alert; true when it was taken as promised, false for a fault of the disk. */
async function append(spool: Spool, number: number): Promise<boolean> {
  try {
    await spool.append([numbered(number)]);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SpoolFaultError);
    return false;
  }
}

describe('a disk that refuses', () => {
  test('ENOSPC: alerts go out from memory, the fault shows, and all is written when there is space', async () => {
    const files = new MemoryFiles();
    const log = recordingLogger();
    const spool = await openOn(files, {}, { log });
    const consumer = spool.consumer('a');
    expect(await append(spool, 1)).toBe(true);
    refusing(files, 'ENOSPC', ['write']);
    expect(await append(spool, 2)).toBe(false);
    expect(await append(spool, 3)).toBe(false);
    expect(spool.stats().fault).toContain('ENOSPC');
    expect((await pullAll(consumer, 3)).map(numberOf)).toEqual([1, 2, 3]);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    healed(files);
    expect(await append(spool, 4)).toBe(true);
    expect(spool.stats().fault).toBeUndefined();
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('a'))).map(numberOf)).toEqual([1, 2, 3, 4]);
    await again.close();
    await spool.close();
  });

  test('ENOSPC for an alert that is written on the spot', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files);
    const consumer = spool.consumer('a');
    for (let number = 1; number <= 20; number++) {
      await spool.append([numbered(number)]);
      await loopHasSlept();
    }
    // Nothing to wait for: so it is once alerts have come alone for a while.
    expect(spool.append([numbered(21)])).toBeUndefined();
    await loopHasSlept();
    refusing(files, 'ENOSPC', ['write']);
    expect(await append(spool, 22)).toBe(false);
    expect((await pullAll(consumer, 22)).map(numberOf)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
    healed(files);
    expect(await append(spool, 23)).toBe(true);
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('a'))).map(numberOf)).toEqual(
      Array.from({ length: 23 }, (_, i) => i + 1),
    );
    await again.close();
    await spool.close();
  });

  test('the fault clears without a new alert', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const spool = await openOn(files);
    spool.consumer('a');
    refusing(files, 'EIO', ['write']);
    const refused = append(spool, 1);
    await vi.advanceTimersByTimeAsync(10);
    expect(await refused).toBe(false);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(spool.stats().fault).toContain('EIO');
    healed(files);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(spool.stats().fault).toBeUndefined();
    const again = await openOn(files.copyAll());
    expect(again.stats().entries).toBe(1);
    await Promise.all([again.close(), spool.close()]);
  });

  test.each(['ENOSPC', 'EIO', 'EDQUOT', 'EROFS'])(
    '%s at any operation: in order, each once, none lost',
    async code => {
      for (let at = 0; ; at++) {
        const files = new MemoryFiles();
        const spool = await openOn(files, { segmentBytes: 700 });
        const consumer = spool.consumer('a');
        let operations = 0;
        // Three in a row fail: a write, the clean-up after it, and the next try.
        files.refuse = operation => {
          if (!['write', 'open', 'truncate', 'rename', 'datasync', 'unlink'].includes(operation))
            return undefined;
          const failing = operations >= at && operations < at + 3;
          operations++;
          return failing ? fileError(code) : undefined;
        };
        const deliveries: Delivery[] = [];
        for (let number = 1; number <= 8; number++) {
          await append(spool, number);
          deliveries.push(...consumer.take(10));
        }
        expect(deliveries.map(numberOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
        const isOver = operations <= at;
        healed(files);
        await spool.close();
        const again = await openOn(files.copyAll(), { segmentBytes: 700 });
        expect((await drain(again.consumer('a'))).map(numberOf), `failing from ${at}`).toEqual([
          1, 2, 3, 4, 5, 6, 7, 8,
        ]);
        expect(again.stats().setAside).toBe(0);
        await again.close();
        if (isOver) return;
      }
    },
  );

  test.each([true, false])(
    'a write that takes some bytes and then none is made whole (cut back: %s)',
    async canCut => {
      for (const shortWrite of [1, 10, 23, 100, 150]) {
        const files = new MemoryFiles();
        const spool = await openOn(files);
        spool.consumer('a');
        await append(spool, 1);
        files.shortWrite = shortWrite;
        let writes = 0;
        files.refuse = operation => {
          const isRefused = (operation === 'truncate' && !canCut) || (operation === 'write' && ++writes > 1);
          return isRefused ? fileError('ENOSPC') : undefined;
        };
        expect(await append(spool, 2)).toBe(false);
        // Killed now, the torn record is cut off.
        const crashed = await openOn(files.copyAll());
        expect(await logged(crashed)).toEqual([1]);
        expect(crashed.stats().setAside).toBe(canCut ? 0 : 1);
        await crashed.close();
        files.refuse = () => undefined;
        expect(await append(spool, 3)).toBe(true);
        await spool.close();
        const again = await openOn(files.copyAll());
        expect(await logged(again)).toEqual([1, 2, 3]);
        expect(again.stats().setAside).toBe(0);
        await again.close();
      }
    },
  );

  test('memory holds what cannot be written up to its limit; then nothing more is taken', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files, { memoryBytes: 50_000, overflow: 'reject' });
    const consumer = spool.consumer('a');
    refusing(files, 'ENOSPC', ['write']);
    let taken = 0;
    for (let number = 1; number <= 200; number++) {
      expect(await append(spool, number)).toBe(false);
      if (consumer.stats().depth > taken) taken = number;
    }
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(100);
    expect(spool.stats().memoryBytes).toBeLessThanOrEqual(50_000);
    const deliveries = await pullAll(consumer, taken);
    expect(deliveries.map(numberOf)).toEqual(Array.from({ length: taken }, (_, index) => index + 1));
    // What is delivered makes room for more.
    for (const delivery of deliveries) delivery.ack();
    expect(await append(spool, 1000)).toBe(false);
    expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([1000]);
    healed(files);
    expect(await append(spool, 1001)).toBe(true);
    await spool.close();
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('a'))).map(numberOf)).toEqual([1000, 1001]);
    await again.close();
  });

  test('without place for the cursor of a new consumer nothing is promised', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files);
    files.refuse = (operation, path) =>
      operation === 'rename' && path.includes('cursors') ? fileError('EACCES') : undefined;
    const consumer = spool.consumer('a');
    expect(await append(spool, 1)).toBe(false);
    expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([1]);
    healed(files);
    expect(await append(spool, 2)).toBe(true);
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('a'))).map(numberOf)).toEqual([1, 2]);
    await Promise.all([again.close(), spool.close()]);
  });

  test('cursors that cannot be written cost duplicates, never alerts', async () => {
    const files = new MemoryFiles();
    const log = recordingLogger();
    const spool = await openOn(files, {}, { log });
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(3));
    refusing(files, 'EIO', ['rename']);
    for (const delivery of consumer.take(3)) delivery.ack();
    await spool.close();
    expect(log.lines.some(({ message }) => message.includes('twice'))).toBe(true);
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('a'))).map(numberOf)).toEqual([1, 2, 3]);
    await again.close();
  });
});

describe('a device that does not sync', () => {
  test('with durability power the append is refused, the alert goes out, and later ones are kept again', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files, { durability: 'power' });
    const consumer = spool.consumer('a');
    expect(await append(spool, 1)).toBe(true);
    refusing(files, 'EIO', ['datasync']);
    expect(await append(spool, 2)).toBe(false);
    expect(spool.stats().fault).toContain('EIO');
    expect((await pullAll(consumer, 2)).map(numberOf)).toEqual([1, 2]);
    healed(files);
    expect(await append(spool, 3)).toBe(true);
    expect(spool.stats().fault).toBeUndefined();
    await spool.close();
    const again = await openOn(files.copyAll());
    expect((await drain(again.consumer('a'))).map(numberOf)).toEqual([1, 2, 3]);
    await again.close();
    expect(files.openFiles).toBe(0);
  });

  test('with durability power nothing is answered before the device has it', async () => {
    const files = new MemoryFiles();
    const spool = await openOn(files, { durability: 'power' });
    const gates: PromiseWithResolvers<void>[] = [];
    files.datasync = () => {
      gates.push(Promise.withResolvers<void>());
      return gates.at(-1)!.promise;
    };
    const answered: number[] = [];
    const first = spool.append([numbered(1)])!.then(() => answered.push(1));
    await expect.poll(() => gates.length).toBe(1);
    const rest = [2, 3].map(number => spool.append([numbered(number)])!.then(() => answered.push(number)));
    await new Promise(setImmediate);
    expect(answered).toEqual([]);
    gates[0]!.resolve();
    await first;
    expect(answered).toEqual([1]);
    await expect.poll(() => gates.length).toBe(2);
    gates[1]!.resolve();
    await Promise.all(rest);
    expect(answered).toEqual([1, 2, 3]);
    const closed = spool.close();
    await expect.poll(() => gates.length).toBeGreaterThan(2);
    for (const gate of gates) gate.resolve();
    files.datasync = async () => {};
    await closed;
  });
});

describe('a log that cannot be read', () => {
  test('a read that fails is tried again, nothing is passed over', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const spool = await openOn(files, { memoryBytes: 1 });
    const consumer = spool.consumer('a');
    const appended = spool.append(numberedTo(3));
    await vi.advanceTimersByTimeAsync(1);
    await appended;
    refusing(files, 'EMFILE', ['open']);
    const pulled = pullAll(consumer, 3);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(spool.stats().setAside).toBe(0);
    healed(files);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await pulled).map(numberOf)).toEqual([1, 2, 3]);
    await spool.close();
  });

  test('a read that fails for long is told of once a minute', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const log = recordingLogger();
    const spool = await openOn(files, { memoryBytes: 1 }, { log });
    const consumer = spool.consumer('a');
    const appended = spool.append(numberedTo(3));
    await vi.advanceTimersByTimeAsync(1);
    await appended;
    refusing(files, 'EACCES', ['open']);
    const pulled = pullAll(consumer, 3);
    await vi.advanceTimersByTimeAsync(10 * 60_000 - 5_000);
    const warnings = log.lines.filter(({ message }) => message.includes('could not be read'));
    expect(warnings).toHaveLength(10);
    expect(warnings[9]!.fields).toMatchObject({ output: 'a', suppressed: expect.any(Number) });
    healed(files);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await pulled).map(numberOf)).toEqual([1, 2, 3]);
    expect(spool.stats().setAside).toBe(0);
    await spool.close();
  });

  test('a segment that is gone or cannot be read for good does not hold up what follows', async () => {
    // Node has no names for EUCLEAN (117), ESTALE (116) and EBADMSG (74).
    for (const code of [
      'EIO',
      'ENOENT',
      'ENXIO',
      'Unknown system error -117',
      'Unknown system error -116',
      'Unknown system error -74',
    ]) {
      vi.useFakeTimers();
      const files = new MemoryFiles();
      const spool = await openOn(files, { memoryBytes: 1, segmentBytes: 500 });
      const consumer = spool.consumer('a');
      const appended = spool.append(numberedTo(9));
      await vi.advanceTimersByTimeAsync(1);
      await appended;
      const lost = `${LOG}/0000000000000001.log`;
      files.refuse = (operation, path) =>
        operation === 'open' && path === lost ? fileError(code) : undefined;
      const pulled = consumer.pull(100, new AbortController().signal);
      await vi.advanceTimersByTimeAsync(10_000);
      const [first] = await pulled;
      expect(numberOf(first!)).toBeGreaterThan(1);
      expect(numberOf(first!)).toBeLessThan(4);
      expect(spool.stats().setAside).toBe(1);
      vi.useRealTimers();
      await spool.close();
    }
  });
});

test('the newest file gone: what follows goes out as long as it is in memory, and nobody hangs', async () => {
  const files = new MemoryFiles();
  const spool = await openOn(files, { memoryBytes: 1 });
  const consumer = spool.consumer('a');
  await spool.append(numberedTo(3));
  files.refuse = operation => (operation === 'open' ? fileError('ENOENT') : undefined);
  const stop = new AbortController();
  const pulled = consumer.pull(10, stop.signal);
  await expect.poll(() => consumer.stats().depth).toBe(0);
  await spool.append([numbered(4)]);
  await expect.poll(() => consumer.stats().depth).toBe(0);
  stop.abort();
  expect(await pulled).toEqual([]);
  expect(spool.stats().setAside).toBe(1);
  healed(files);
  await spool.close();
});

describe('a folder that cannot be used', () => {
  test.each<Operation>(['mkdir'])('%s refused: opening says so', async operation => {
    const files = new MemoryFiles();
    refusing(files, 'EACCES', [operation]);
    await expect(openOn(files)).rejects.toThrow(
      `cannot use the data folder ${SPOOL.path} (EACCES): this user may not use it; spool.path names the folder`,
    );
  });

  /** Files that a spool has left: an older segment, the newest one, and cursors. */
  async function filled(): Promise<MemoryFiles> {
    const files = new MemoryFiles();
    const spool = await openOn(files, { segmentBytes: 500 });
    spool.consumer('a');
    await spool.append(numberedTo(9));
    await spool.close();
    return files;
  }
  const names = (files: MemoryFiles) =>
    [...files.contents.keys()].filter(path => path.startsWith(LOG)).sort();

  test.each(['EMFILE', 'EIO', 'Unknown system error -116'])(
    '%s for a moment at the start: nothing is set aside or passed over',
    async code => {
      const files = await filled();
      const segments = names(files);
      for (const path of [segments[0]!, segments.at(-1)!, `${SPOOL.path}/cursors`]) {
        for (const operation of ['open', 'read', 'readFile'] as const) {
          const copy = files.copyAll();
          let failures = 0;
          copy.refuse = (one, on) =>
            one === operation && on === path && ++failures <= 2 ? fileError(code) : undefined;
          const spool = await openOn(copy, { segmentBytes: 500 });
          expect(spool.stats().setAside).toBe(0);
          expect((await drain(spool.consumer('a'))).map(numberOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
          await spool.close();
        }
      }
    },
  );

  test.each(['EMFILE', 'EACCES'])('%s that stays ends the start; the next one has all', async code => {
    const files = await filled();
    const segments = names(files);
    for (const path of [segments[0]!, segments.at(-1)!, `${SPOOL.path}/cursors`]) {
      files.refuse = (operation, on) =>
        on === path && (operation === 'open' || operation === 'readFile') ? fileError(code) : undefined;
      const file = path.slice(path.lastIndexOf('/') + 1);
      await expect(openOn(files)).rejects.toThrow(
        `cannot use the data folder ${SPOOL.path} (${file} cannot be read: ${code}`,
      );
      healed(files);
      expect(names(files)).toEqual(segments);
    }
    const spool = await openOn(files);
    expect((await drain(spool.consumer('a'))).map(numberOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(spool.stats().setAside).toBe(0);
    await spool.close();
    expect(files.openFiles).toBe(0);
  });

  test('a segment on a damaged device does not stop the start', async () => {
    const files = await filled();
    const [first] = names(files);
    files.refuse = (operation, on) => (on === first && operation === 'read' ? fileError('EIO') : undefined);
    const spool = await openOn(files);
    expect(spool.stats().setAside).toBe(1);
    expect((await drain(spool.consumer('a'))).map(numberOf).at(-1)).toBe(9);
    await spool.close();
  });

  test('dead letters that cannot be stored: the alert is still to be settled', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const files = new MemoryFiles();
    const log = recordingLogger();
    // The data folder exists only in memory, so that SQLite cannot create its file.
    const spool = await openOn(files, {}, { log });
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(2));
    const [first] = consumer.take(1);
    const refused = new PermanentError('no', { reason: 'client_error' });
    await expect(first!.bury(refused)).rejects.toThrow(SpoolFaultError);
    expect(consumer.stats()).toMatchObject({ depth: 2, inFlight: 1, waiting: 0 });
    first!.retry(30_000, refused);
    expect(log.lines.some(({ level }) => level === 'error')).toBe(true);
    expect(consumer.stats()).toMatchObject({ depth: 2, inFlight: 0, waiting: 1 });
    expect(spool.deadLetters.count()).toBe(0);
    expect(consumer.take(10).map(numberOf)).toEqual([2]);
    vi.advanceTimersByTime(30_000);
    expect(consumer.take(10).map(numberOf)).toEqual([1]);
    await spool.close();
  });
});
