import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type Behaviour, healthy, Load, percentile, until, withTwoSinks } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scene() {
  const [daemon, good, bad] = await withTwoSinks(cleanups);
  await daemon.start({
    webhook: [
      { name: 'good', address: good.url },
      { name: 'bad', address: bad.url, delivery: { timeout: '2s' } },
    ],
  });
  return { good, bad, daemon };
}

test('20,000 alerts at 1,000/s over two outputs, one of which fails in every way for 15 s: none lost', async () => {
  const { good, bad, daemon } = await scene();
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());

  const failures: Behaviour[] = [
    (_request, response) => void response.writeHead(500).end('down'),
    (_request, response) => void response.writeHead(429, { 'retry-after': '2' }).end(),
    request => void request.socket.destroy(),
    () => {},
  ];
  const running = load.run(20_000, 1_000);
  await sleep(2_000);
  const outage = [Date.now()];
  for (const failure of failures) {
    bad.behaviour = failure;
    await sleep(3_750);
  }
  bad.behaviour = healthy;
  outage.push(Date.now());
  await running;

  expect(load.acknowledged.size).toBe(20_000);
  const all = [...load.acknowledged];
  await until(
    'both outputs have every alert',
    () => good.received.size === 20_000 && bad.received.size === 20_000,
    60_000,
  );
  expect(good.missing(all)).toEqual([]);
  expect(bad.missing(all)).toEqual([]);

  const latency = (during: boolean) =>
    all
      .filter(n => {
        const at = load.postedAt.get(n)!;
        return (at >= outage[0]! && at < outage[1]!) === during;
      })
      .map(n => good.arrivedAt.get(n)! - load.postedAt.get(n)!);
  console.log(
    `healthy output: p99 ${percentile(latency(false), 0.99)} ms, during the other's outage ` +
      `${percentile(latency(true), 0.99)} ms; failing output: ${bad.requests} requests, ${bad.duplicates} duplicates, ` +
      `caught up ${Math.max(...bad.arrivedAt.values()) - outage[1]!} ms after its return`,
  );
  expect(good.duplicates).toBe(0);
}, 120_000);

test('no request starts inside a pause that the far side asked for', async () => {
  const { bad, daemon } = await scene();
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());
  let pausedAt = 0;
  const early: number[] = [];
  bad.behaviour = (_request, response) => {
    pausedAt ||= Date.now();
    const since = Date.now() - pausedAt;
    // Requests on their way when the pause began do not count.
    if (since > 200 && since < 3_000) early.push(since);
    response.writeHead(429, { 'retry-after': '3' }).end();
  };
  await load.run(1_000, 500);
  await until('the pause is over', () => Date.now() - pausedAt > 3_100);
  bad.behaviour = healthy;
  await until('all have arrived', () => bad.received.size === load.acknowledged.size);
  expect(early).toEqual([]);
  expect(load.acknowledged.size).toBe(1_000);
}, 60_000);

test('an endpoint that handles one request after the other is not sent more than it can answer in time', async () => {
  const { bad, daemon } = await scene();
  let queue = Promise.resolve();
  bad.behaviour = (_request, response) => {
    // Also what nobody waits for any more.
    queue = queue.then(() => sleep(40)).then(() => void response.end('ok'));
  };
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());
  await load.run(300, 1_000);
  await until('all have arrived', () => bad.received.size === 300, 60_000);
  expect(bad.requests).toBeLessThanOrEqual(330);
}, 90_000);
