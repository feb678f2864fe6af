/** What somebody sees who has just cloned the repository. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram } from '../support/run-program.ts';

test('`npm start` before `npm ci` says what is missing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tiercel-clone-'));
  try {
    cpSync('package.json', join(folder, 'package.json'));
    mkdirSync(join(folder, 'scripts'));
    cpSync('scripts/build.mjs', join(folder, 'scripts/build.mjs'));
    cpSync('src', join(folder, 'src'), { recursive: true });
    const { code, stderr } = await runProgram('npm', ['--prefix', folder, 'start']);
    expect(code).toBe(1);
    expect(stderr).toContain('The packages are not installed: run `npm ci` first.\n');
    expect(stderr).not.toContain('    at ');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
