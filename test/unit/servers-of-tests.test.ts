import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findProgram, scratch } from '../support/services/process.ts';

const SUPPORT = fileURLToPath(new URL('../support/services/process.ts', import.meta.url));

/** A process that starts a server, tells its number, and waits. */
const RUN = `
  const { launch } = await import(process.argv[1]);
  const server = await launch({ command: 'sleep', args: ['600'], ready: async () => true, withinMs: 5000 });
  process.stdout.write(String(server.pid));
`;

const shells = ['dash', 'bash'].filter(shell => findProgram(shell));

test.each(shells)('a server does not outlive a run that is killed, with %s as sh', async shell => {
  const folder = await scratch('shell');
  await symlink(findProgram(shell)!, join(folder.path, 'sh'));
  const run = spawn(process.execPath, ['--input-type=module', '-e', RUN, SUPPORT], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: `${folder.path}:${process.env.PATH}` },
  });
  const [pid] = (await once(run.stdout, 'data')) as [Buffer];
  run.kill('SIGKILL');
  try {
    await expect.poll(() => isRunning(Number(pid))).toBe(false);
  } finally {
    if (isRunning(Number(pid))) process.kill(Number(pid), 'SIGKILL');
    await folder.remove();
  }
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
