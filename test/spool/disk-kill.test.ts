/** The disk driver in a real process on a real disk: kill -9, and two processes at one folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { SpoolLockedError } from '../../src/core/spool/contract.ts';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { drain, numberOf, realClock, SPOOL } from '../support/spool.ts';

const root = mkdtempSync(join(tmpdir(), 'spool-kill-'));
const script = fileURLToPath(new URL('../support/spool-child.ts', import.meta.url));

afterAll(() => rmSync(root, { recursive: true }));

const open = (path: string) =>
  openSpool({ ...SPOOL, driver: 'disk', path }, { clock: realClock, log: recordingLogger() });

interface Seen {
  answered: Set<number>;
  acked: Set<number>;
}

/** Starts the child and gathers what it says; resolves when it has answered so many alerts. */
async function startChild(
  path: string,
  first: number,
  count: number,
): Promise<{ child: ChildProcess; seen: Seen }> {
  const child = spawn(process.execPath, [script, path, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seen: Seen = { answered: new Set(), acked: new Set() };
  const lines = createInterface(child.stdout!);
  await new Promise<void>((resolve, reject) => {
    child.once('exit', code => reject(new Error(`the child ended with ${code}`)));
    lines.on('line', line => {
      const [what, number] = line.split(' ') as ['answered' | 'acked', string];
      seen[what].add(Number(number));
      if (seen.answered.size >= count) resolve();
    });
  });
  return { child, seen };
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

test('kill -9 at any moment: every answered alert is there, few come twice (F10)', async () => {
  const path = join(root, 'killed');
  const answered = new Set<number>();
  const acked = new Set<number>();
  for (const [round, count] of [50, 700, 1500].entries()) {
    const { child, seen } = await startChild(path, round * 1_000_000 + 1, count);
    await kill(child);
    for (const number of seen.answered) answered.add(number);
    for (const number of seen.acked) acked.add(number);
  }
  const spool = await open(path);
  expect(spool.stats().setAside).toBe(0);
  const stuck = (await drain(spool.consumer('stuck'))).map(numberOf);
  const has = new Set(stuck);
  expect([...answered].filter(number => !has.has(number))).toEqual([]);
  expect(has.size).toBe(stuck.length);
  const read = (await drain(spool.consumer('reader'))).map(numberOf);
  const missing = new Set([...read, ...acked]);
  expect([...answered].filter(number => !missing.has(number))).toEqual([]);
  await spool.close();
}, 60_000);

test('a folder has one owner; the next may have it as soon as the owner is gone', async () => {
  const path = join(root, 'shared');
  const { child } = await startChild(path, 1, 10);
  const refused = await open(path).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(SpoolLockedError);
  expect((refused as Error).message).toContain(path);
  expect((refused as Error).message).toContain(`process ${child.pid}`);
  // Not waiting for its end: a restart may be quicker than the kernel.
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  const spool = await open(path);
  expect(spool.stats().entries).toBeGreaterThanOrEqual(10);
  await expect(open(path)).rejects.toThrow(SpoolLockedError);
  await spool.close();
  await (await open(path)).close();
  await closed;
});

test('a folder has one owner on a disk that takes no writes, too', async () => {
  const path = join(root, 'full');
  await (await open(path)).close();
  // No file of the child may grow: what it would write for its lock is refused.
  const code = `
    const { lockFolder } = await import(${JSON.stringify(new URL('../../src/core/spool/disk/lock.ts', import.meta.url).href)});
    await lockFolder(process.argv[1], { warn: (_, message) => console.log(message) });
    console.log('has it');
    setInterval(() => {}, 1000);
  `;
  const limited = [
    '-c',
    'ulimit -f 0; exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '-e',
    code,
    path,
  ];
  const child = spawn('sh', limited, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(createInterface(child.stdout!), 'line');
  expect(line).toBe('has it');
  await expect(open(path)).rejects.toThrow(SpoolLockedError);
  await kill(child);
  await (await open(path)).close();
});
