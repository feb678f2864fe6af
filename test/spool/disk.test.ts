import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Clock } from '../../src/core/contract.ts';
import { PermanentError } from '../../src/core/errors.ts';
import { SpoolFaultError } from '../../src/core/spool/contract.ts';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { drain, logged, numbered, numberedTo, pullAll, realClock, SPOOL } from '../support/spool.ts';
import { expectTooLargeRefused, runSpoolSuite } from './suite/suite.ts';

const root = mkdtempSync(join(tmpdir(), 'spool-'));
let folders = 0;

afterAll(() => rmSync(root, { recursive: true }));

const open = (config: Partial<typeof SPOOL>) => (overrides: Partial<typeof SPOOL>, clock: Partial<Clock>) =>
  openSpool(
    { ...SPOOL, ...config, ...overrides, driver: 'disk', path: join(root, String(++folders)) },
    { clock: { ...realClock, ...clock }, log: recordingLogger() },
  );

runSpoolSuite('disk', open({}));
runSpoolSuite('disk, durable', open({ durability: 'power' }));

test('what waits in a log that another driver has left is told of', async () => {
  const path = join(root, 'left');
  const config = { ...SPOOL, driver: 'disk' as const, path };
  const spool = await openSpool(config, { clock: realClock, log: recordingLogger() });
  const [consumer] = [spool.consumer('a'), spool.consumer('b')];
  await spool.append([numbered(1), numbered(2), numbered(3)]);
  const [delivery] = await pullAll(consumer!, 3);
  await delivery!.ack();
  await spool.close();
  const warnings = async (driver: 'disk' | 'memory') => {
    const log = recordingLogger();
    const opened = await openSpool({ ...config, driver }, { clock: realClock, log });
    for (const name of ['a', 'b']) for (const one of await drain(opened.consumer(name))) await one.ack();
    await opened.close();
    return log.lines.filter(({ level }) => level === 'warn');
  };
  expect(await warnings('memory')).toMatchObject([{ fields: { folder: path, alerts: 3, driver: 'disk' } }]);
  expect(await warnings('disk')).toEqual([]);
  // All is settled now, and only history left.
  expect(await warnings('memory')).toEqual([]);
});

test('every file is for its owner only, in a folder that others may read and where it was not so before', async () => {
  const path = join(root, 'shared');
  mkdirSync(path, { mode: 0o755 });
  const tooOpen = () =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(({ name, parentPath }) => ({ name, mode: statSync(join(parentPath, name)).mode & 0o777 }))
      .filter(({ mode }) => mode !== 0o600);
  for (let round = 0; round < 2; round++) {
    const spool = await openSpool(
      { ...SPOOL, driver: 'disk', path },
      { clock: realClock, log: recordingLogger() },
    );
    const consumer = spool.consumer('a');
    await spool.append([numbered(1)]);
    const [delivery] = await pullAll(consumer, 1);
    await delivery!.bury(new PermanentError('no', { reason: 'client_error' }));
    expect(readdirSync(path)).toEqual(
      expect.arrayContaining([
        'dead-letters.sqlite',
        'dead-letters.sqlite-wal',
        'dead-letters.sqlite-shm',
        'lock',
      ]),
    );
    expect(tooOpen()).toEqual([]);
    await spool.close();
    // As an earlier release left them.
    for (const name of ['dead-letters.sqlite', 'lock']) chmodSync(join(path, name), 0o644);
  }
});

test.each(['process', 'power'] as const)(
  'files of the log that somebody removes, durability %s: it is told, and what comes then is kept',
  async durability => {
    const path = join(root, `removed-${durability}`);
    const openIt = (folder: string) =>
      openSpool(
        { ...SPOOL, driver: 'disk', path: folder, durability },
        { clock: realClock, log: recordingLogger() },
      );
    const spool = await openIt(path);
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(3));
    for (const name of readdirSync(join(path, 'log'))) rmSync(join(path, 'log', name));
    const taken = spool.append([numbered(4)]);
    if (durability === 'power') await expect(taken).rejects.toThrow(SpoolFaultError);
    await expect.poll(() => spool.stats().fault, { timeout: 5_000 }).toMatch('ENOENT');
    await spool.append([numbered(5)]);
    await expect.poll(() => spool.stats().fault, { timeout: 5_000 }).toBeUndefined();
    expect(await pullAll(consumer, 5)).toHaveLength(5);
    // What the next start would find, had this process been killed.
    const copy = `${path}-copy`;
    cpSync(path, copy, { recursive: true });
    const again = await openIt(copy);
    expect(await logged(again)).toEqual([5]);
    await again.close();
    await spool.close();
  },
);

test('a folder that somebody removes: alerts are not answered as safe', async () => {
  const path = join(root, 'gone');
  const spool = await openSpool(
    { ...SPOOL, driver: 'disk', path },
    { clock: realClock, log: recordingLogger() },
  );
  const consumer = spool.consumer('a');
  await spool.append([numbered(1)]);
  rmSync(path, { recursive: true });
  await spool.append([numbered(2)]);
  await expect.poll(() => spool.stats().fault, { timeout: 5_000 }).toMatch('ENOENT');
  await expect(spool.append([numbered(3)])).rejects.toThrow(SpoolFaultError);
  expect(await pullAll(consumer, 3)).toHaveLength(3);
  await spool.close();
});

test('a disk that refuses to let go of a file of the lock makes no stop fail, and keeps no lock', async () => {
  const path = join(root, 'owner');
  const openIt = () =>
    openSpool({ ...SPOOL, driver: 'disk', path }, { clock: realClock, log: recordingLogger() });
  const spool = await openIt();
  // In the place of a disk that can only be read: it cannot be removed as a file.
  rmSync(join(path, 'lock.owner'));
  mkdirSync(join(path, 'lock.owner'));
  await spool.close();
  const again = await openIt();
  await again.close();
});

test('an alert larger than the whole log is refused, and pushes no others out', async () => {
  const spool = await open({})({ maxBytes: 100_000, overflow: 'drop-oldest' }, realClock);
  await expectTooLargeRefused(spool);
  await spool.close();
});
