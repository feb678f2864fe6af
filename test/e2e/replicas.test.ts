/** Three replicas behind a balancer, one log on a NATS cluster: whatever is killed, every acknowledged alert arrives. */
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Balancer } from '../support/balancer.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { type NatsCluster, startNatsCluster } from '../support/services/nats-cluster.ts';
import { describeWith } from '../support/services/need.ts';
import { Load, numbered, Sink, TestDaemon, until } from './support.ts';

const ALERTS = 30_000;
const PER_SECOND = 1_500;
const ARRIVES_WITHIN_MS = 120_000;

describeWith('three replicas on JetStream', missingNats(), () => {
  let cluster: NatsCluster;
  /** The far end of an output that takes an id with each alert and drops what it has: a stream on a server of its own. */
  let exact: NatsServer;

  beforeAll(async () => {
    [cluster, exact] = await Promise.all([startNatsCluster(), startNats()]);
    const connection = await connect({ servers: `127.0.0.1:${exact.port}` });
    const manager = await jetstreamManager(connection, { timeout: 20_000 });
    // Longer than the trials: what comes late is still known.
    await manager.streams.add({ name: 'FAR', subjects: ['far.>'], duplicate_window: 600_000_000_000 });
    await connection.close();
  }, 60_000);
  afterAll(async () => {
    await cluster?.remove();
    await exact?.remove();
  });

  let trials = 0;
  const settings = (stream: string, sink: Sink) => ({
    shutdown: { grace: '10s' },
    spool: { driver: 'jetstream', servers: cluster.servers, stream, replicas: 3 },
    webhook: { address: sink.url },
    nats: { hostport: `127.0.0.1:${exact.port}`, jetstream: true, subjecttemplate: `far.${stream}` },
  });

  /** Posts through the balancer while `trouble` happens; every acknowledged alert has to arrive. */
  async function trial(
    name: string,
    trouble: (replicas: TestDaemon[], stream: string) => Promise<void>,
  ): Promise<void> {
    const stream = `trial${++trials}`;
    const sink = await new Sink().start();
    const replicas = [new TestDaemon(), new TestDaemon(), new TestDaemon()];
    const config = settings(stream, sink);
    for (const replica of replicas) await replica.start(config);
    const balancer = await new Balancer(replicas.map(({ port }) => port)).start();
    const load = new Load(balancer.url);
    try {
      const running = load.run(ALERTS, PER_SECOND);
      await sleep(3_000);
      await trouble(replicas, stream);
      await running;
      const acknowledged = [...load.acknowledged];
      expect(acknowledged.length).toBeGreaterThan(ALERTS * 0.9);
      let stored: number[] = [];
      await until(
        'every acknowledged alert has arrived at both outputs',
        async () => {
          if (sink.missing(acknowledged).length > 0) return false;
          stored = await storedAt(exact.port, stream);
          const there = new Set(stored);
          return acknowledged.every(n => there.has(n));
        },
        ARRIVES_WITHIN_MS,
      ).catch(async error => {
        stored = await storedAt(exact.port, stream);
        const there = new Set(stored);
        const lost = acknowledged.filter(n => !there.has(n));
        throw new Error(
          `${error.message}: webhook lacks ${sink.missing(acknowledged)}, nats ${lost.length} (${lost.slice(0, 5)})\n` +
            `${await placesIn(cluster, stream)}\n` +
            replicas.map(({ logs }) => logs.slice(-3000)).join('\n--\n'),
        );
      });
      console.log(
        `${name}: ${acknowledged.length} of ${ALERTS} acknowledged, all arrived; duplicates: webhook ${sink.duplicates}, with an idempotency key ${stored.length - new Set(stored).size}`,
      );
      for (const { logs } of replicas) expect(logs).not.toContain('stream on NATS was lost');
      expect(stored.length).toBe(new Set(stored).size);
      expect(sink.duplicates).toBeLessThan(ALERTS / 10);
    } finally {
      await load.close();
      await balancer.stop();
      for (const replica of replicas) await replica.remove();
      await sink.stop();
    }
  }

  test('kill -9 of a replica', async () => {
    await trial('kill -9 of a replica', async ([replica]) => {
      await replica!.end('SIGKILL');
      await sleep(5_000);
      await replica!.restart();
    });
  }, 240_000);

  test('a rolling restart of all replicas', async () => {
    await trial('rolling restart', async replicas => {
      for (const replica of replicas) {
        expect(await replica.end('SIGTERM')).toBe(0);
        await replica.restart();
        await sleep(500);
      }
    });
  }, 240_000);

  test('kill -9 of the NATS node that leads the stream', async () => {
    await trial('kill -9 of the NATS leader', async (_, stream) => {
      const leader = await cluster.leaderOf(stream);
      await leader.kill();
      await sleep(8_000);
      await leader.start();
    });
  }, 240_000);

  test('NATS away for 20 s: the local buffers take over, and the replicas say so', async () => {
    await trial('NATS away for 20 s', async ([replica]) => {
      await Promise.all(cluster.nodes.map(node => node.kill()));
      await until('the replica says that it buffers', async () => {
        return /tiercel_spool_buffering 1/.test((await replica!.get('/metrics')).text);
      });
      const ready = await replica!.get('/readyz');
      expect(ready.status).toBe(200);
      expect(ready.text).toContain('local buffer');
      expect(replica!.logs).toContain('alerts go into the local buffer');
      await sleep(20_000);
      await Promise.all(cluster.nodes.map(node => node.start()));
      await until(
        'the buffer is empty',
        async () => /tiercel_spool_buffering 0/.test((await replica!.get('/metrics')).text),
        60_000,
      );
      expect(replica!.logs).toContain('the local buffer is empty');
    });
  }, 240_000);

  test('a backlog of 100,000 is shared about evenly', async () => {
    const backlog = 100_000;
    const sink = await new Sink().start();
    const replicas = [new TestDaemon(), new TestDaemon(), new TestDaemon()];
    const config = {
      spool: { driver: 'jetstream', servers: cluster.servers, stream: 'backlog', replicas: 3 },
      webhook: { address: sink.url, delivery: { breaker: { max: '500ms' } } },
    };
    try {
      let isOpen = false;
      sink.behaviour = (_request, response) => {
        response.statusCode = isOpen ? 200 : 503;
        response.end();
      };
      for (const replica of replicas) await replica.start(config);
      for (let from = 0; from < backlog; from += 1_000) {
        const alerts = Array.from({ length: 1_000 }, (_, index) => numbered(from + index));
        expect(await replicas[0]!.post(alerts)).toBe(200);
      }
      isOpen = true;
      await allArrive(sink, backlog, replicas);
      const shares = await Promise.all(replicas.map(deliveredBy));
      console.log(
        `a backlog of ${backlog}: ${shares.join(', ')} alerts by replica; duplicates ${sink.duplicates}`,
      );
      for (const share of shares) expect(share).toBeGreaterThan(0.2 * backlog);
    } finally {
      for (const replica of replicas) await replica.remove();
      await sink.stop();
    }
  }, 240_000);
});

/** Waits until all alerts have arrived. What came and what the replicas say of the rest is printed when they do not. */
async function allArrive(sink: Sink, count: number, replicas: readonly TestDaemon[]): Promise<void> {
  try {
    await until('all have arrived', () => sink.received.size === count, 120_000);
  } catch (error) {
    const last = Date.now() - [...sink.arrivedAt.values()].reduce((a, b) => Math.max(a, b), 0);
    console.log(`${sink.received.size} of ${count} have arrived, the last one ${last} ms ago`);
    for (const replica of replicas) {
      const { text } = await replica.get('/metrics');
      const shown = text.split('\n').filter(line => /^tiercel_(spool|output)_(?!.*_bucket)/.test(line));
      console.log(`${shown.join('\n')}\n${replica.logs.slice(-3000)}`);
    }
    throw error;
  }
}

/** How far the outputs are in their stream, as the cluster says. */
async function placesIn({ servers }: NatsCluster, stream: string): Promise<string> {
  const connection = await connect({ servers });
  try {
    const manager = await jetstreamManager(connection, { timeout: 20_000 });
    const lines = [JSON.stringify((await manager.streams.info(stream)).state)];
    for await (const info of manager.consumers.list(stream)) {
      const { name, delivered, ack_floor, num_pending, num_ack_pending, cluster } = info;
      const leader = cluster?.leader;
      lines.push(JSON.stringify({ name, leader, delivered, ack_floor, num_pending, num_ack_pending }));
    }
    return lines.join('\n');
  } finally {
    await connection.close();
  }
}

/** How many alerts a replica has delivered. */
async function deliveredBy(replica: TestDaemon): Promise<number> {
  const { text } = await replica.get('/metrics');
  return Number(/^tiercel_output_delivery_seconds_count\{.*\} (\d+)/m.exec(text)?.[1] ?? 0);
}

/** The numbers of the alerts that the far stream holds of a trial, repeats included. */
async function storedAt(port: number, stream: string): Promise<number[]> {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  try {
    const client = jetstream(connection, { timeout: 20_000 });
    const consumer = await client.consumers.get('FAR', { filter_subjects: `far.${stream}` });
    const { num_pending: pending } = await consumer.info();
    const numbers: number[] = [];
    if (pending === 0) return numbers;
    for await (const message of await consumer.consume({ max_messages: 5_000 })) {
      numbers.push((message.json() as { output_fields: { n: number } }).output_fields.n);
      if (message.info.pending === 0) break;
    }
    return numbers;
  } finally {
    await connection.close();
  }
}
