import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeAlert } from '../../../src/core/alert/alert.ts';
import { loadConfig } from '../../../src/core/config/load.ts';
import { systemClock } from '../../../src/core/host.ts';
import { openSpool } from '../../../src/core/spool/open.ts';
import { alert, cli, daemon, folder, nobody } from './support.ts';

describe('dead', () => {
  const letter = {
    id: 12,
    output: 'slack',
    error: 'no such channel',
    reason: 'client_error',
    attempts: 1,
    buriedAt: Date.UTC(2026, 0, 31, 12),
    alert: alert(),
  };

  test('list', async () => {
    const { url, asked } = await daemon({
      'GET /api/v1/dead-letters': () => ({ items: [letter], total: 7 }),
    });
    const { code, out, err } = await cli(['dead', 'list', '--url', url, '--output', 'slack', '--limit', '1']);
    expect(code).toBe(0);
    expect(out).toMatch(/12\s+2026-01-31 12:00:00Z\s+slack\s+1\s+Critical\s+Terminal shell in container/);
    expect(out).toContain('client_error: no such channel');
    expect(err).toContain('1 of 7');
    expect(asked[0]!.query).toEqual({ output: 'slack', limit: '1' });
  });

  test.each([
    ['the daemon was stopped', ['dead-letters.sqlite']],
    ['it was killed', ['dead-letters.sqlite', 'dead-letters.sqlite-shm', 'dead-letters.sqlite-wal']],
  ])('list changes nothing in the data folder: %s', async (_, files) => {
    const running = folder();
    const port = new URL(await nobody()).port;
    const settings = (path: string) => ({ env: { SPOOL_PATH: path, LISTENPORT: port } });
    const { spool: config } = loadConfig({ ...settings(running), definitions: [], readFile: String });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const spool = await openSpool(config, { clock: systemClock, log });
    await spool.deadLetters.add({
      ...letter,
      alert: decodeAlert(Buffer.from(JSON.stringify(alert()))),
      buriedAt: Date.now(),
    });
    if (files.length === 1) await spool.close();
    const left = join(folder(), 'what is left? #1');
    mkdirSync(left);
    for (const name of files) {
      copyFileSync(join(running, name), join(left, name));
      chmodSync(join(left, name), 0o640);
      utimesSync(join(left, name), 1, 1);
    }
    const now = () =>
      readdirSync(left).map(name => {
        const { mode, mtimeMs } = statSync(join(left, name));
        return [name, mode, mtimeMs, readFileSync(join(left, name), 'latin1')];
      });
    const before = now();
    const shown = await cli(['dead', 'list'], settings(left));
    expect(shown).toMatchObject({ code: 0, out: expect.stringMatching(/slack\s+1\s+Critical/) });
    expect(now()).toEqual(before);
    await spool.close();
  });

  test('list says which file keeps it from reading, and takes an empty one for no letters', async () => {
    const path = folder({ 'dead-letters.sqlite': '', 'dead-letters.sqlite-wal': 'x' });
    const env = { SPOOL_PATH: path, LISTENPORT: new URL(await nobody()).port };
    const { code, err } = await cli(['dead', 'list'], { env });
    expect(code).toBe(1);
    expect(err).toMatch(/cannot read .*dead-letters\.sqlite: ENOENT.*dead-letters\.sqlite-shm/);
    const damaged = folder({ 'dead-letters.sqlite': 'no database'.repeat(100) });
    expect(await cli(['dead', 'list'], { env: { ...env, SPOOL_PATH: damaged } })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/not a database/),
    });
    const empty = folder({ 'dead-letters.sqlite': '' });
    expect((await cli(['dead', 'list'], { env: { ...env, SPOOL_PATH: empty } })).code).toBe(3);
    expect(readdirSync(empty)).toEqual(['dead-letters.sqlite']);
  });

  test('list without a daemon reads the data folder; all else wants one', async () => {
    const path = folder();
    const env = { SPOOL_PATH: path, LISTENPORT: new URL(await nobody()).port };
    const { spool: settings } = loadConfig({ env, definitions: [], readFile: String });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const spool = await openSpool(settings, { clock: systemClock, log });
    const bytes = Buffer.from(JSON.stringify(alert()).replace('{}', '{"evt.time":1769860800123456789}'));
    await spool.deadLetters.add({ ...letter, alert: decodeAlert(bytes), buriedAt: Date.now() });
    await spool.close();

    const shown = await cli(['dead', 'list'], { env });
    expect({ code: shown.code, err: shown.err }).toEqual({ code: 0, err: expect.stringContaining(path) });
    expect(shown.out).toMatch(/slack\s+1\s+Critical\s+Terminal shell in container/);
    expect((await cli(['dead', 'list', '--json'], { env })).out).toContain('1769860800123456789');
    expect((await cli(['dead', 'list', '--output', 'kafka'], { env })).out).toBe('no dead letters\n');
    expect((await cli(['dead', 'replay'], { env })).code).toBe(3);
    // An address that was given is the daemon that is meant.
    expect((await cli(['dead', 'list', '--url', await nobody()], { env })).code).toBe(3);
    const elsewhere = { ...env, TIERCEL_URL: await nobody() };
    expect((await cli(['dead', 'list'], { env: elsewhere })).code).toBe(3);
    const config = join(folder({ 'config.yaml': '' }), 'config.yaml');
    expect((await cli(['dead', 'list', '-c', config], { env: elsewhere })).code).toBe(0);
    expect((await cli(['dead', 'list'], { env: { ...env, SPOOL_PATH: folder() } })).code).toBe(3);
  });

  test('replay', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/dead-letters/replay': () => ({ queued: 2 }) });
    const { code, out } = await cli([
      'dead',
      'replay',
      '--url',
      url,
      '--id',
      '12',
      '--id',
      '17',
      '--rule',
      'R',
    ]);
    expect(code).toBe(0);
    expect(out).toBe('2 dead letters queued to be sent again\n');
    expect(asked[0]!.body).toEqual({ id: [12, 17], rule: 'R' });
  });

  test('letters of outputs that are gone are told of', async () => {
    const { url } = await daemon({ 'POST /api/v1/dead-letters/replay': () => ({ queued: 1, skipped: 3 }) });
    const { out, code } = await cli(['dead', 'replay', '--url', url]);
    expect(out).toBe(
      '1 dead letter queued to be sent again, 3 left as they are: their output is not running\n',
    );
    expect(code).toBe(1);
  });

  test('purge with a filter, and of everything', async () => {
    const { url, asked } = await daemon({ 'DELETE /api/v1/dead-letters': () => ({ removed: 1 }) });
    expect((await cli(['dead', 'purge', '--url', url, '--output', 'slack'])).out).toBe(
      '1 dead letter removed\n',
    );
    expect((await cli(['dead', 'purge', '--url', url, '--all'])).code).toBe(0);
    expect(asked.map(({ query }) => query)).toEqual([{ output: 'slack' }, { all: 'true' }]);
  });

  test('purge wants to know what goes', async () => {
    const { url, asked } = await daemon({ 'DELETE /api/v1/dead-letters': () => ({ removed: 1 }) });
    expect(await cli(['dead', 'purge', '--url', url])).toMatchObject({
      code: 2,
      err: expect.stringContaining('or --all for every one'),
    });
    expect(await cli(['dead', 'purge', '--url', url, '--all', '--output', 'slack'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--all goes alone'),
    });
    expect(asked).toEqual([]);
  });

  test.each(['0', '1001', 'many'])('list --limit %s is refused with 2', async limit => {
    const { code, err } = await cli(['dead', 'list', '--limit', limit]);
    expect(code).toBe(2);
    expect(err).toContain('--limit');
  });
});
