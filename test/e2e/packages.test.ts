/** Which packages a daemon loads: the client of a service only where its output is on. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { allExamples, OFFLINE } from '../../bench/scenarios/start.ts';
import type { OutputStatus } from '../../src/core/delivery/contract.ts';
import { numbered, Sink, TestDaemon, until } from './support.ts';

interface Manifest {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const ours = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));

/** What a daemon without any output needs. */
const BASE = ['commander', 'pino', 'prom-client', 're2js', 'yaml', 'zod'];

const recorder = new URL('../support/record-packages.ts', import.meta.url);
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a daemon that resolves no names; returns how to see which of our dependencies it has loaded so far. */
async function startRecorded(config: Record<string, unknown>) {
  const folder = mkdtempSync(join(tmpdir(), 'tiercel-packages-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const daemon = new TestDaemon();
  cleanups.push(() => daemon.remove());
  const file = join(folder, 'packages');
  const env = { TIERCEL_TEST_PACKAGES: file, NODE_OPTIONS: `--import=${recorder} ${OFFLINE}` };
  await daemon.start(config, { env });
  const loaded = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(name => ours.has(name))
      .sort();
  return { daemon, loaded };
}

/** Waits for packages that are loaded while an output opens. */
function untilLoaded(loaded: () => string[], expected: readonly string[]): Promise<void> {
  return until(`${expected} are loaded`, () => expected.every(name => loaded().includes(name)));
}

test('without an output there is no client of any service, and no framework', async () => {
  const { daemon, loaded } = await startRecorded({});
  expect(await daemon.post(numbered(1))).toBe(200);
  expect(loaded()).toEqual(BASE);
});

test('HTTP outputs need none either, alerts delivered', async () => {
  const sink = await new Sink().start();
  cleanups.push(() => sink.stop());
  const { daemon, loaded } = await startRecorded({
    webhook: { address: sink.url },
    slack: { webhookurl: 'http://127.0.0.1:9/' },
    cloudevents: { address: 'http://127.0.0.1:9/' },
    loki: { hostport: 'http://127.0.0.1:9' },
    alertmanager: { hostport: 'http://127.0.0.1:9' },
  });
  expect(await daemon.post(numbered(1))).toBe(200);
  await until('the webhook has it', () => sink.received.size === 1);
  expect(loaded()).toEqual(BASE);
});

describe('each output loads its own client and no other', () => {
  test.each([
    [{ nats: { hostport: 'nats://127.0.0.1:9' } }, ['@nats-io/jetstream', '@nats-io/transport-node']],
    [{ kafka: { hostport: '127.0.0.1:9', topic: 'falco' } }, ['kafkajs']],
    [{ redis: { address: '127.0.0.1:9' } }, ['@redis/client']],
    [{ mqtt: { broker: 'tcp://127.0.0.1:9' } }, ['mqtt']],
    [{ rabbitmq: { url: 'amqp://127.0.0.1:9', queue: 'falco' } }, ['amqplib']],
  ])('%j: %j', async (config, packages) => {
    const { loaded } = await startRecorded(config);
    await untilLoaded(loaded, packages);
    expect(loaded()).toEqual([...BASE, ...packages].sort());
  });
});

test('with all outputs on there are the clients that have no way around them, and no SDK of a cloud', async () => {
  const { daemon, loaded } = await startRecorded(allExamples());
  const clients = [
    '@nats-io/jetstream',
    '@nats-io/transport-node',
    '@redis/client',
    'amqplib',
    'hyparquet-writer',
    'kafkajs',
    'mqtt',
    'nodemailer',
    'pg',
  ];
  await untilLoaded(loaded, clients);
  expect(await daemon.post(numbered(1))).toBe(200);
  await until('each output that is open has tried to send', async () => {
    const { outputs } = await daemon.json<{ outputs: OutputStatus[] }>('/api/v1/status');
    return (
      outputs
        // Gathers alerts for minutes.
        .filter(({ id, state }) => state !== 'opening' && id !== 'awssecuritylake')
        .every(({ depth, lastError }) => depth === 0 || lastError)
    );
  });
  // The status is one of the pages that express serves.
  expect(loaded()).toEqual([...BASE, ...clients, 'express'].sort());
}, 60_000);
