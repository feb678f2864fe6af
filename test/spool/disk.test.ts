import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Clock } from '../../src/core/contract.ts';
import { PermanentError } from '../../src/core/errors.ts';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { drain, numbered, pullAll, realClock, SPOOL } from '../support/spool.ts';
import { expectTooLargeRefused, runSpoolSuite } from './suite.ts';

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

test('an alert larger than the whole log is refused, and pushes no others out', async () => {
  const spool = await open({})({ maxBytes: 100_000, overflow: 'drop-oldest' }, realClock);
  await expectTooLargeRefused(spool);
  await spool.close();
});
