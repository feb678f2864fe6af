/** A wrong password in the configuration: told of in plain words, nothing is lost, and a reload puts it right. */
import { afterEach, expect, test } from 'vitest';
import type { OutputStatus } from '../../src/core/delivery/contract.ts';
import { numbersIn } from '../support/broker-outage.ts';
import { describeWith } from '../support/services/need.ts';
import { missingRedis, startRedis } from '../support/services/redis.ts';
import { Load, TestDaemon, until } from './support.ts';

const ALERTS = 200;
const RIGHT = 'the-right-password';
const WRONG = 'the-wrong-password';
const SENTENCE = 'the server refused user name or password';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scene() {
  const redis = await startRedis({ password: RIGHT });
  cleanups.push(() => redis.remove());
  const daemon = new TestDaemon();
  cleanups.push(() => daemon.remove());
  const config = (password: string) => ({
    redis: {
      address: `127.0.0.1:${redis.port}`,
      password,
      // A wrong password shows after a few tries; the wait for the next probe stays short.
      delivery: { breaker: { failures: 3, max: '1s' } },
    },
  });
  const status = async () =>
    (await daemon.json<{ outputs: OutputStatus[] }>('/api/v1/status')).outputs.find(
      ({ id }) => id === 'redis',
    )!;
  const stored = async () => JSON.parse(await redis.cli('--json', 'LRANGE', 'falco', '0', '-1')) as string[];
  return { daemon, config, status, stored };
}

describeWith('redis with a wrong password', missingRedis(), () => {
  test('log and status say so, alerts wait, and arrive once after the configuration is corrected', async () => {
    const { daemon, config, status, stored } = await scene();
    await daemon.start(config(WRONG));
    const load = new Load(daemon.url);
    cleanups.push(() => load.close());
    await load.run(ALERTS, 1_000);
    expect(load.acknowledged.size).toBe(ALERTS);

    let failing = await status();
    await until('the breaker is open', async () => {
      failing = await status();
      return failing.breaker === 'open';
    });
    expect(failing).toMatchObject({ state: 'failing', depth: ALERTS, deadLetters: 0, dropped: 0 });
    expect(failing.lastError).toContain(SENTENCE);
    expect(failing.lastSuccessAt).toBeUndefined();
    const told = daemon.logs.split('\n').filter(line => line.includes(SENTENCE));
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]).toContain('"redis"');
    const metrics = (await daemon.get('/metrics')).text;
    expect(metrics).toMatch(/tiercel_output_breaker_changes_total\{[^}]*state="open"[^}]*\} [1-9]/);
    expect(await stored()).toEqual([]);

    daemon.configure(config(RIGHT));
    daemon.signal('SIGHUP');
    await until('all alerts are settled', async () => (await status()).depth === 0);
    const numbers = numbersIn(await stored()).sort((a, b) => a - b);
    expect(numbers).toEqual([...load.acknowledged].sort((a, b) => a - b));
    expect(await status()).toMatchObject({ state: 'running', breaker: 'closed', deadLetters: 0, dropped: 0 });

    const shown = await Promise.all(
      ['/api/v1/config', '/api/v1/status', '/metrics', '/readyz'].map(path => daemon.get(path)),
    );
    for (const text of [daemon.logs, metrics, JSON.stringify(failing), ...shown.map(one => one.text)]) {
      expect(text).not.toContain(WRONG);
      expect(text).not.toContain(RIGHT);
    }
  }, 60_000);

  test('it may also be corrected with a restart', async () => {
    const { daemon, config, status, stored } = await scene();
    await daemon.start(config(WRONG));
    const load = new Load(daemon.url);
    cleanups.push(() => load.close());
    await load.run(ALERTS, 1_000);
    await until('the breaker is open', async () => (await status()).breaker === 'open');
    expect(await daemon.end()).toBe(0);
    daemon.configure(config(RIGHT));
    await daemon.restart();
    await until('all alerts are settled', async () => (await status()).depth === 0);
    expect(numbersIn(await stored()).sort((a, b) => a - b)).toEqual(
      [...load.acknowledged].sort((a, b) => a - b),
    );
  }, 60_000);
});
