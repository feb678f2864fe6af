import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../support/services/process.ts';
import { Load, numbered, TestDaemon, until, withTwoSinks } from './support.ts';

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
