import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { healthy, Load, TestDaemon, until, withTwoSinks } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('kill -9 ten times under load: every acknowledged alert reaches each output', async () => {
  const [daemon, fast, slow] = await withTwoSinks(cleanups);
  slow.behaviour = (request, response) => void setTimeout(() => healthy(request, response), 20);
  await daemon.start({
    webhook: [
      { name: 'fast', address: fast.url },
      { name: 'slow', address: slow.url },
    ],
  });

  const stop = new AbortController();
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());
  const running = load.run(1_000_000, 800, stop.signal);
  for (let kill = 0; kill < 10; kill++) {
    await sleep(300 + Math.random() * 900);
    await daemon.end('SIGKILL');
    await daemon.restart();
  }
  await sleep(500);
  stop.abort();
  await running;

  const all = [...load.acknowledged];
  expect(all.length).toBeGreaterThan(1_000);
  await until('both outputs have every acknowledged alert', () => {
    return fast.missing(all).length === 0 && slow.missing(all).length === 0;
  });
  console.log(
    `${all.length} alerts acknowledged over 10 kills; duplicates: fast ${fast.duplicates}, slow ${slow.duplicates}`,
  );
  // What was accepted since the last checkpoint (100 ms or 500 acks) may come again after each kill.
  expect(fast.duplicates).toBeLessThan(10 * 500);
}, 120_000);

test('SIGTERM with a stuck output: exit 0 within the grace time, the rest goes out after the start', async () => {
  const [daemon, good, stuck] = await withTwoSinks(cleanups);
  stuck.behaviour = () => {};
  await daemon.start({
    shutdown: { grace: '2s' },
    webhook: [
      { name: 'good', address: good.url },
      { name: 'stuck', address: stuck.url, delivery: { timeout: '30s' } },
    ],
  });
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());
  await load.run(300, 1_000);
  const startedAt = Date.now();
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  expect(good.received.size).toBe(300);
  expect(stuck.received.size).toBe(0);

  stuck.behaviour = healthy;
  await daemon.restart();
  await until('the stuck output has all', () => stuck.missing(load.acknowledged).length === 0);
  expect(load.acknowledged.size).toBe(300);
}, 60_000);

/** Two daemons, of which the first runs. */
async function pair(): Promise<{ daemon: TestDaemon; second: TestDaemon }> {
  const daemon = new TestDaemon();
  const second = new TestDaemon();
  cleanups.push(
    () => daemon.remove(),
    () => second.remove(),
  );
  await daemon.start({});
  return { daemon, second };
}

test('a second process on the same data folder is refused with a clear error', async () => {
  const { daemon, second } = await pair();
  await expect(second.start({ spool: { path: daemon.dataDir } })).rejects.toThrow(/ended with [1-9]/);
  expect(second.logs).toMatch(/in use|owner|locked/i);
  expect((await daemon.get('/ping')).status).toBe(200);
});

test('a port in use is an error with a non-zero exit', async () => {
  const { daemon, second } = await pair();
  second.port = daemon.port;
  // The port answers, but from the first process: look at the second one's end.
  second.configure({});
  await second.restart().catch(() => {});
  await until('the second has ended', () => /in use/.test(second.logs));
  expect(await second.end()).not.toBe(0);
});
