import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeAlert } from '../../../src/core/alert/alert.ts';
import { loadConfig } from '../../../src/core/config/load.ts';
import { systemClock } from '../../../src/core/host.ts';
import { openSpool } from '../../../src/core/spool/open.ts';
import { alert, cli, daemon, folder, nobody, problem } from './support.ts';

describe('talking to a daemon', () => {
  test('nobody there: 3, with the address and what to do', async () => {
    const url = await nobody();
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(3);
    expect(err).toContain(`no daemon at ${url}: connection refused`);
    expect(err).toContain('tiercel run');
  });

  test.each([
    { argv: ['--token', 'from-option'], env: { TIERCEL_TOKEN: 'from-env' }, wanted: 'Bearer from-option' },
    { argv: [], env: { TIERCEL_TOKEN: 'from-env' }, wanted: 'Bearer from-env' },
    { argv: [], env: {}, wanted: undefined },
  ])('token $wanted', async ({ argv, env, wanted }) => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    await cli(['test', ...argv], { env: { ...env, TIERCEL_URL: url } });
    expect(asked[0]!.headers.authorization).toBe(wanted);
  });

  test('user name, password and secret path of the address are used and never shown', async () => {
    const { url, asked } = await daemon({
      'POST /s3cret/api/v1/test': (_asked, response) => problem(response, 500, 'out of order'),
    });
    const address = `${url.replace('//', '//falco:p%40ss@')}/s3cret`;
    const { err } = await cli(['test', '--url', address]);
    expect(asked[0]!.headers.authorization).toBe(`Basic ${Buffer.from('falco:p@ss').toString('base64')}`);
    expect(err).toContain('Not so: out of order');
    expect(err).not.toMatch(/p@ss|p%40ss|s3cret/);
  });

  test('without an address the port comes from LISTENPORT', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    await cli(['test'], { env: { LISTENPORT: new URL(url).port } });
    expect(asked).toHaveLength(1);
  });

  test('variables that are empty count as not set', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    const empty = { TIERCEL_URL: '', TIERCEL_TOKEN: '' };
    await cli(['test'], { env: { ...empty, LISTENPORT: new URL(url).port } });
    expect(asked).toHaveLength(1);
    const yaml = `listenport: ${new URL(url).port}\nauth: { admintoken: of-the-file }`;
    const file = join(folder({ 'config.yaml': yaml }), 'config.yaml');
    await cli(['test', '-c', file], { env: { ...empty, LISTENPORT: '' } });
    expect(asked[1]!.headers.authorization).toBe('Bearer of-the-file');
  });

  test('loopback is asked past a proxy', async () => {
    const proxy = await daemon({});
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    const { code } = await cli(['test', '--url', url], {
      env: { http_proxy: proxy.url, HTTP_PROXY: proxy.url },
    });
    expect({ code, direct: asked.length, proxied: proxy.asked.length }).toEqual({
      code: 0,
      direct: 1,
      proxied: 0,
    });
  });

  test('a refusal is told in the daemon’s words, with how to get in', async () => {
    const { url } = await daemon({
      'POST /api/v1/test': (_asked, response) => problem(response, 401, 'this wants the admin token'),
    });
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(1);
    expect(err).toContain('this wants the admin token');
    expect(err).toContain('TIERCEL_TOKEN');
  });

  test('something else than Tiercel answers', async () => {
    const { url } = await daemon({
      'POST /api/v1/test': (_asked, response) => {
        response.statusCode = 400;
        return 'Please send a valid request body\n';
      },
    });
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(1);
    expect(err).toContain('no Tiercel daemon');
  });

  test.each(['localhost:2801', 'ftp://127.0.0.1', 'tiercel'])('--url %s is no address', async url => {
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(2);
    expect(err).toContain('--url');
  });
});

describe('test', () => {
  const outcomes = [
    { output: 'slack.soc', ok: true, durationMs: 120 },
    { output: 'webhook', ok: false, durationMs: 5000, error: 'timed out\u001b[2J' },
  ];

  test('one line for each output; 1 when one fails', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: outcomes }) });
    const { code, out } = await cli(['test', '--url', url]);
    expect(code).toBe(1);
    expect(out).toMatch(/slack\.soc\s+ok\s+120ms/);
    expect(out).toMatch(/webhook\s+FAIL\s+5s\s+timed out\\x1b\[2J/);
    expect(asked[0]!.body).toEqual({});
  });

  test('one output alone; 0 when it works', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [outcomes[0]] }) });
    const { code, out } = await cli(['test', '--url', url, '--output', 'slack.soc', '--json']);
    expect(code).toBe(0);
    expect(asked[0]!.body).toEqual({ output: 'slack.soc' });
    expect(JSON.parse(out)).toEqual([outcomes[0]]);
  });

  test('an output that the daemon does not have: 1, in its words', async () => {
    const { url } = await daemon({
      'POST /api/v1/test': (_asked, response) => problem(response, 404, "no output is called 'slakc'"),
    });
    const { code, out, err } = await cli(['test', '--url', url, '--output', 'slakc']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain("no output is called 'slakc'");
  });

  test('none is turned on', async () => {
    const { url } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    expect(await cli(['test', '--url', url])).toMatchObject({ code: 0, out: 'no output is turned on\n' });
  });
});

describe('tail', () => {
  const line = (offset: number, text: string) =>
    `${text.replace('{', `{"offset":${offset},"appendedAt":1,"alert":{`)}}\n`;

  test('shows what comes, ends with 3 when the daemon goes', async () => {
    const { url, asked } = await daemon({
      'GET /api/v1/alerts': (_asked, response) => {
        // Cut in the middle of a line and of a character.
        const bytes = Buffer.from(
          `${JSON.stringify({ offset: 1, appendedAt: 1, alert: alert({ output: 'één' }) })}\n`,
        );
        const cut = bytes.indexOf('é') + 1;
        response.write(bytes.subarray(0, cut), () => response.end(bytes.subarray(cut)));
      },
    });
    const { code, out, err } = await cli(['tail', '--url', url]);
    expect(out).toContain('Critical');
    expect(out).toContain('Terminal shell in container');
    expect(out).toContain('één');
    expect(asked[0]!.query).toEqual({ limit: '10', follow: 'true' });
    expect(code).toBe(3);
    expect(err).toContain('ended the connection');
  });

  test('--json keeps every digit; interrupting it is no failure', async () => {
    const { url } = await daemon({
      'GET /api/v1/alerts': (_asked, response) => {
        response.write(line(7, JSON.stringify(alert()).replace('{}', '{"evt.time":1769860800123456789}')));
      },
    });
    const enough = new AbortController();
    const { code, out } = await cli(['tail', '--url', url, '--json'], {
      signal: enough.signal,
      onPrint: () => enough.abort(),
    });
    expect(out).toContain('"evt.time":1769860800123456789');
    expect(out.endsWith('}\n')).toBe(true);
    expect(code).toBe(0);
  });

  test('passes its filters on', async () => {
    const { url, asked } = await daemon({ 'GET /api/v1/alerts': () => ({ items: [] }) });
    const filters = ['--rule', 'A rule', '--priority', 'error', '--source', 'syscall', '--grep', 'shell'];
    await cli([
      'tail',
      '--url',
      url,
      '--no-follow',
      '-n',
      '3',
      '--since',
      '2026-01-31T12:00:00Z',
      ...filters,
    ]);
    expect(asked[0]!.query).toEqual({
      rule: 'A rule',
      priority: 'error',
      source: 'syscall',
      q: 'shell',
      since: '1769860800000',
      limit: '3',
    });
  });

  test('--no-follow goes through the pages and shows the oldest first', async () => {
    const page = (offset: number) => ({ offset, appendedAt: 1, alert: alert({ rule: `rule ${offset}` }) });
    const { url } = await daemon({
      'GET /api/v1/alerts': ({ query }) =>
        query.before === '2' ? { items: [page(1)] } : { items: [page(2), page(3)], before: 2 },
    });
    const { code, out } = await cli(['tail', '--url', url, '--no-follow', '--since', '1h', '--json']);
    expect(
      out
        .trim()
        .split('\n')
        .map(text => JSON.parse(text).rule),
    ).toEqual(['rule 1', 'rule 2', 'rule 3']);
    expect(code).toBe(0);
  });

  test('control characters of an alert do not reach the terminal', async () => {
    const output = 'a\u001b]0;owned\u0007b\u009b31m\u202e';
    const { url } = await daemon({
      'GET /api/v1/alerts': () => ({
        items: [{ offset: 1, appendedAt: 1, alert: alert({ output }) }],
      }),
    });
    const { out } = await cli(['tail', '--url', url, '--no-follow']);
    const { out: json } = await cli(['tail', '--url', url, '--no-follow', '--json']);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    for (const shown of [out, json]) expect(shown).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
    expect(out).toContain('owned');
    expect(JSON.parse(json).output).toBe(output);
  });

  test.each([
    ['--priority', 'high'],
    ['--since', 'yesterday'],
    ['-n', 'ten'],
    ['-n', '5000'],
    ['-n', '5', '--since', '1h'],
  ])('%s %s is refused with 2', async (...argv) => {
    const { code, err } = await cli(['tail', ...argv]);
    expect(code).toBe(2);
    expect(err).not.toBe('');
  });
});

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

describe('replay', () => {
  const argv = (url: string) => [
    'replay',
    '--url',
    url,
    '--output',
    'kafka',
    '--since',
    '2026-01-31',
    '--until',
    '2026-02-01',
  ];

  test('waits for the end and counts', async () => {
    const states = [
      { total: 3, done: 1, failed: 0 },
      { total: 3, done: 2, failed: 1 },
    ];
    const { url, asked } = await daemon({
      'POST /api/v1/replay': (_asked, response) => {
        response.statusCode = 202;
        return { queued: true };
      },
      'GET /api/v1/outputs': () => ({ items: [{ id: 'kafka', replay: states.shift() }] }),
      'GET /api/v1/dead-letters': () => ({ items: [], total: 0 }),
    });
    const { code, out, err } = await cli(argv(url));
    expect(asked.find(({ method }) => method === 'POST')!.body).toEqual({
      output: 'kafka',
      since: Date.UTC(2026, 0, 31),
      until: Date.UTC(2026, 1, 1),
    });
    expect(err).toBe('1 of 3 alerts\n2 of 3 alerts, 1 given up\n');
    expect(out).toContain('the replay is over');
    expect(out).toContain('tiercel dead list');
    expect(code).toBe(1);
  });

  test.each([
    { name: 'nothing was given up', newest: [7, 7], code: 0 },
    { name: 'an alert was', newest: [7, 8], code: 1 },
  ])('over before it could be looked at, $name: $code', async ({ newest, code }) => {
    const { url, asked } = await daemon({
      'POST /api/v1/replay': () => ({ queued: true }),
      'GET /api/v1/outputs': () => ({ items: [{ id: 'kafka' }] }),
      'GET /api/v1/dead-letters': () => ({ items: [{ id: newest.shift() }], total: 2 }),
    });
    const ended = await cli(argv(url));
    expect(ended.code).toBe(code);
    expect(ended.out.includes('tiercel dead list')).toBe(code === 1);
    expect(asked.filter(({ path }) => path === '/api/v1/dead-letters').map(({ query }) => query)).toEqual([
      { output: 'kafka', limit: '1' },
      { output: 'kafka', limit: '1' },
    ]);
  });

  test.each([
    { name: 'the log cannot be read', ends: [{ id: 'kafka', replayError: 'the log cannot be read' }] },
    { name: 'the output was removed', ends: [] },
  ])('that ends before all was sent is a failure: $name', async ({ name, ends }) => {
    const states = [[{ id: 'kafka', replay: { total: 3, done: 1, failed: 0 } }]];
    const { url } = await daemon({
      'POST /api/v1/replay': () => ({ queued: true }),
      'GET /api/v1/outputs': () => ({ items: states.shift() ?? ends }),
      'GET /api/v1/dead-letters': () => ({ items: [], total: 0 }),
    });
    const { code, out, err } = await cli(argv(url));
    expect(err).toBe(`1 of 3 alerts\ntiercel: the replay ended before all was sent: ${name}\n`);
    expect(out).toBe('');
    expect(code).toBe(1);
  });

  test('an unknown output', async () => {
    const { url } = await daemon({
      'GET /api/v1/dead-letters': () => ({ items: [], total: 0 }),
      'POST /api/v1/replay': (_asked, response) => problem(response, 404, 'there is no output called kafka'),
    });
    const { code, err } = await cli(argv(url));
    expect(code).toBe(1);
    expect(err).toContain('there is no output called kafka');
  });

  test.each([
    { argv: ['--since', '1h', '--until', '2h'], says: '--until lies before --since' },
    { argv: ['--since', '2999-01-01'], says: '--since lies in the future' },
  ])('$argv is refused with 2', async ({ argv, says }) => {
    const { code, err } = await cli(['replay', '--output', 'x', ...argv]);
    expect(code).toBe(2);
    expect(err).toContain(says);
  });
});
