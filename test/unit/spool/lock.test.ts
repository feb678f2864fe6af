import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SpoolLockedError } from '../../../src/core/spool/contract.ts';
import { lockFolder } from '../../../src/core/spool/disk/lock.ts';
import { recordingLogger } from '../../support/logger.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'));
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** A lock that nobody can ask for, for the moment. */
async function unlocked() {
  const path = join(folder, 'lock');
  writeFileSync(path, 'no database at all\n'.repeat(100));
  const log = recordingLogger();
  const lock = await lockFolder(folder, log);
  expect(log.lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('cannot be locked') }]);
  writeFileSync(path, '');
  return { lock, log };
}

test('a lock that could not be asked for is taken as soon as it can be', async () => {
  const { lock, log } = await unlocked();
  vi.advanceTimersByTime(10_000);
  expect(log.lines.at(-1)).toMatchObject({ level: 'info', message: 'the data folder is locked now' });
  await expect(lockFolder(folder, log)).rejects.toThrow(SpoolLockedError);
  lock.release();
  (await lockFolder(folder, log)).release();
});

test('who runs without the lock says so when another owner has come', async () => {
  const { lock, log } = await unlocked();
  const other = await lockFolder(folder, log);
  vi.advanceTimersByTime(20_000);
  const told = log.lines.filter(({ level }) => level === 'error');
  expect(told).toHaveLength(2);
  expect(told[0]).toMatchObject({
    fields: { owner: expect.stringContaining(`process ${process.pid}`) },
    message: expect.stringContaining('in use by another process'),
  });
  other.release();
  lock.release();
});
