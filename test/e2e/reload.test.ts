import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../support/services/process.ts';
import { healthy, Load, numbered, TestDaemon, until, withTwoSinks } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scene() {
  const [daemon, first, second] = await withTwoSinks(cleanups);
  return { first, second, daemon };
}

test('without configuration an alert is on the console in under a second', async () => {
  const daemon = new TestDaemon();
  cleanups.push(() => daemon.remove());
  daemon.port = await freePort();
  const env = { LISTENADDRESS: '127.0.0.1', LISTENPORT: String(daemon.port), SPOOL_PATH: daemon.dataDir };
  await daemon.restart({ withoutFile: true, env });
  const postedAt = Date.now();
  expect(await daemon.post(numbered(7))).toBe(200);
  await until('it is on the console', () => daemon.stdout.includes('alert number 7 '));
  console.log(`on the console after ${Date.now() - postedAt} ms`);
});

test('a changed file is taken up under load without losing an alert; unchanged outputs go on', async () => {
  const { first, second, daemon } = await scene();
  await daemon.start({ webhook: [{ name: 'a', address: first.url }] });
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());
  const running = load.run(3_000, 1_000);
  await sleep(1_000);
  daemon.configure({
    webhook: [
      { name: 'a', address: first.url },
      { name: 'b', address: second.url },
    ],
  });
  await until('the second output is there', () => /"started":\["webhook.b"\]/.test(daemon.logs));
  const known = load.next;
  await running;
  await until('all have arrived', () => first.missing(load.acknowledged).length === 0);
  expect(load.acknowledged.size).toBe(3_000);
  expect(first.duplicates).toBe(0);
  const later = [...load.acknowledged].filter(n => n > known);
  expect(later.length).toBeGreaterThan(0);
  await until('the new output has what came since', () => second.missing(later).length === 0);
}, 60_000);

test('a stop while a reload waits for a hanging output: no more alerts are taken, and nothing is started again', async () => {
  const { first, second, daemon } = await scene();
  const answers: (() => void)[] = [];
  first.behaviour = (_request, response) => void answers.push(() => response.end('ok'));
  let isNew = false;
  second.behaviour = (request, response) => {
    isNew ||= request.headers.version === '2';
    response.end('ok');
  };
  const config = (version: string) => ({
    webhook: [
      { name: 'a', address: first.url, customheaders: { version } },
      { name: 'b', address: second.url, customheaders: { version } },
    ],
    shutdown: { grace: '10m' },
    delivery: { timeout: '10m' },
  });
  await daemon.start(config('1'));
  await daemon.post(numbered(1));
  await until('the first output hangs', () => answers.length === 1 && second.received.has(1));
  daemon.configure(config('2'));
  daemon.signal('SIGHUP');
  await until('the second output is served with its new settings', async () => {
    await daemon.post(numbered(2));
    return isNew;
  });
  const ended = daemon.end();
  await until('the server is closed', () =>
    daemon.get('/ping').then(
      () => false,
      () => true,
    ),
  );
  for (const answer of answers) answer();
  expect(await ended).toBe(0);
  expect(daemon.logs).toContain('"started":["webhook.b"],"stopped":["webhook.a","webhook.b"]');
}, 60_000);

test('a secret that changes while an output of the last reload hangs is taken up at once', async () => {
  const { first, second, daemon } = await scene();
  const answers: (() => void)[] = [];
  first.behaviour = (_request, response) => void answers.push(() => response.end('ok'));
  const tokens = new Set<unknown>();
  second.behaviour = (request, response) => {
    tokens.add(request.headers.token);
    response.end('ok');
  };
  const secret = join(daemon.dir, 'token');
  writeFileSync(secret, 'old');
  const config = (version: string, token: string) => ({
    webhook: [
      { name: 'a', address: first.url, customheaders: { version } },
      { name: 'b', address: second.url, customheaders: { token } },
    ],
    shutdown: { grace: '10m' },
    delivery: { timeout: '10m' },
  });
  await daemon.start(config('1', 'none'));
  await daemon.post(numbered(1));
  await until('the first output hangs', () => answers.length === 1);
  // No signal: the watch would ask for a second reload, which reads the secret anew anyway.
  daemon.configure(config('2', `\${file:${secret}}`));
  await until('the second output has the secret', async () => {
    await daemon.post(numbered(2));
    return tokens.has('old');
  });
  writeFileSync(secret, 'new');
  await until('the new secret is in use', async () => {
    await daemon.post(numbered(3));
    return tokens.has('new');
  });
  expect(daemon.logs).toContain('"outputs":["webhook.a"]');
  expect((await daemon.get('/api/v1/outputs')).text).toContain('"state":"stopping"');
  first.behaviour = healthy;
  for (const answer of answers) answer();
  await until('the first output has its new settings', () => first.received.has(3));
}, 60_000);

test('every reload tells that the spool is not what it is to be, until it is again what it was at the start', async () => {
  const { first, daemon } = await scene();
  const configOf = (minimumpriority: string, spool: object) => ({
    webhook: { address: first.url, minimumpriority },
    spool,
  });
  await daemon.start(configOf('error', {}));
  for (const [minimumpriority, spool, told] of [
    ['error', { maxage: '1h' }, true],
    ['notice', { maxage: '1h' }, true],
    ['notice', {}, false],
  ] as const) {
    const before = daemon.logs.length;
    daemon.configure(configOf(minimumpriority, spool));
    await until('it is taken up', () => daemon.logs.includes('configuration reloaded', before));
    expect(daemon.logs.includes('"settings":["spool"]', before)).toBe(told);
  }
}, 60_000);

test('a bad file keeps the former configuration, and readiness, metric and log say so', async () => {
  const { first, daemon } = await scene();
  await daemon.start({ webhook: { address: first.url } });
  writeFileSync(daemon.configFile, 'webhook:\n  address: [not, a, url]\nlistenport: much\n');
  daemon.signal('SIGHUP');
  await until('it is refused', () => daemon.logs.includes('configuration refused'));
  expect(daemon.logs).toMatch(/line 2: webhook.address/);
  expect(daemon.logs).toMatch(/line 3: listenport/);
  const ready = await daemon.get('/readyz');
  expect(ready.status).toBe(200);
  expect(ready.text).toMatch(/webhook.address/);
  expect((await daemon.get('/metrics')).text).toMatch(/tiercel_config_last_reload_successful 0/);
  expect(await daemon.post(numbered(1))).toBe(200);
  await until('alerts still arrive', () => first.received.has(1));

  daemon.configure({ webhook: { address: first.url } });
  await until('the good file is in use', async () =>
    /tiercel_config_last_reload_successful 1/.test((await daemon.get('/metrics')).text),
  );
}, 60_000);

test('a bad configuration at the start: every problem with its line, exit 2', async () => {
  const daemon = new TestDaemon();
  cleanups.push(() => daemon.remove());
  const bad = { webhook: { address: 'nowhere' }, spool: { driver: 'tape' } };
  await expect(daemon.start(bad)).rejects.toThrow(/ended with 2/);
  expect(daemon.logs).toMatch(/webhook.address/);
  expect(daemon.logs).toMatch(/spool.driver/);
});

test('no secret shows anywhere', async () => {
  const { first, daemon } = await scene();
  const secret = 'hunter2-and-more';
  first.behaviour = (request, response) => void response.writeHead(500).end(`no: ${request.url}`);
  await daemon.start({
    log: { level: 'debug', format: 'json' },
    auth: { admintoken: `admin-${secret}` },
    webhook: { address: `${first.url}${secret}`, customheaders: { Authorization: `Bearer ${secret}` } },
  });
  await daemon.post(numbered(1));
  await until('the output has failed', () => first.requests > 2);
  const shown = await Promise.all(
    ['/api/v1/config', '/api/v1/status', '/api/v1/outputs', '/metrics', '/readyz'].map(path =>
      daemon.get(path),
    ),
  );
  for (const { status, text } of shown) {
    expect(status).toBe(200);
    expect(text).not.toContain(secret);
  }
  expect(daemon.logs).toContain('delivery failed');
  expect(daemon.logs).not.toContain(secret);
});
