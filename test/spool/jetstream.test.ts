import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SpoolFullError } from '../../src/core/spool/contract.ts';
import { Acks } from '../../src/core/spool/jetstream/acks.ts';
import { AlertCache } from '../../src/core/spool/jetstream/alerts.ts';
import { StreamConsumer } from '../../src/core/spool/jetstream/consumer.ts';
import { Folders, jetStreamConfig, ON_A_SERVER, openOnServer } from '../support/jetstream.ts';
import { recordingLogger } from '../support/logger.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { type NatsCluster, startNatsCluster } from '../support/services/nats-cluster.ts';
import { describeWith } from '../support/services/need.ts';
import { drain, numbered, numberedTo, numberOf, pullAll, realClock } from '../support/spool.ts';
import { runSpoolSuite } from './suite/suite.ts';

const folders = new Folders();
afterAll(() => folders.remove());

describeWith('JetStream', missingNats(), () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server?.remove());

  runSpoolSuite(
    'jetstream spool, single server',
    (overrides, { now }) =>
      openOnServer(jetStreamConfig([`127.0.0.1:${server.port}`]), folders.make(), overrides, { now }),
    ON_A_SERVER,
  );
});

describeWith('JetStream cluster', missingNats(), () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await startNatsCluster();
  }, 60_000);
  afterAll(() => cluster?.remove());

  runSpoolSuite(
    'jetstream spool, cluster of three',
    (overrides, { now }) =>
      openOnServer(jetStreamConfig(cluster.servers, 3), folders.make(), overrides, { now }),
    ON_A_SERVER,
  );

  test('an output that the cluster has nothing for, though the stream has more, gets another leader', async () => {
    const config = jetStreamConfig(cluster.servers, 3);
    const spool = await openOnServer(config, folders.make());
    spool.consumer('a');
    await spool.append([numbered(1), numbered(2)]);
    await spool.close();
    const connection = await connect({ servers: cluster.servers });
    const manager = await jetstreamManager(connection, { timeout: 10_000 });
    const { consumers } = manager;
    const leader = async () => (await consumers.info(config.stream, 'a')).cluster?.leader;
    const before = await leader();
    // What the node says that leads it; the state itself takes a broken node.
    const info = async (stream: string, name: string) => {
      const found = await consumers.info(stream, name);
      return { ...found, num_pending: 0, delivered: { ...found.delivered, stream_seq: 1 } };
    };
    const told = { consumers: { info }, direct: manager.direct } as unknown as JetStreamManager;
    const session = { connection, jetstream: jetstream(connection), manager: told };
    const log = recordingLogger();
    const consumer = new StreamConsumer({
      output: 'a',
      stream: config.stream,
      acks: new Acks(),
      alerts: new AlertCache(),
      clock: realClock,
      log,
      bury: async () => undefined,
      unreadable: () => undefined,
      room: () => 1 << 20,
      stale: () => undefined,
      failed: () => undefined,
    }).open();
    try {
      consumer.up(session);
      const pulling = drain(consumer, 6_000);
      const look = async () => {
        await consumer.refresh(session, { first: 1, last: 2, stored: () => undefined });
        return log.lines.map(({ message }) => message);
      };
      await expect
        .poll(look, { timeout: 15_000, interval: 1_000 })
        .toContainEqual(expect.stringContaining('another node was asked to lead'));
      await expect.poll(leader, { timeout: 10_000 }).not.toBe(before);
      await pulling;
    } finally {
      consumer.close();
      await connection.close();
    }
  }, 60_000);

  test('a stream that loses its end while this connection stays: it is seen, and new alerts arrive', async () => {
    const config = jetStreamConfig(cluster.servers, 1);
    await (await openOnServer(config, folders.make())).close();
    const home = await cluster.leaderOf(config.stream);
    const servers = cluster.nodes.filter(node => node !== home).map(({ port }) => `127.0.0.1:${port}`);
    const log = recordingLogger();
    const spool = await openOnServer({ ...config, servers }, folders.make(), {}, { log });
    const consumer = spool.consumer('a');
    try {
      await spool.append(numberedTo(10));
      for (const delivery of await pullAll(consumer, 10)) delivery.ack();
      await expect.poll(() => consumer.stats().depth).toBe(0);
      await home.stop();
      await home.loseEnd(config.stream, 7);
      await home.start();
      const lost = () => log.lines.filter(({ message }) => message.includes('has lost the newest alerts'));
      await expect.poll(lost, { timeout: 30_000 }).toMatchObject([{ fields: { filled: 3 } }]);
      await spool.append(numberedTo(6, 11));
      const numbers = new Set<number>();
      const arrive = async () => {
        for (const delivery of await drain(consumer, 200)) numbers.add(numberOf(delivery));
        return [...numbers].sort((a, b) => a - b);
      };
      await expect.poll(arrive, { timeout: 20_000 }).toEqual([11, 12, 13, 14, 15, 16]);
    } finally {
      await spool.close();
    }
  }, 90_000);

  // The cluster's list of consumers then leaves it out.
  test('an output whose place in the log nobody tells loses nothing when room is made', async () => {
    const config = jetStreamConfig(cluster.servers, 3);
    const limits = { maxBytes: 20_000, overflow: 'reject', historyBytes: 0 } as const;
    const preparing = await openOnServer(config, folders.make(), limits);
    preparing.consumer('a');
    await preparing.append([numbered(1)]);
    await preparing.close();
    const { alone: hanging, other } = await cluster.leadConsumerAlone(config.stream, 'a');
    const servers = [`127.0.0.1:${other.port}`];
    const spool = await openOnServer({ ...config, servers }, folders.make(), limits);
    let taken = 1;
    hanging.freeze();
    try {
      const large = 'x'.repeat(5_000);
      const fill = async () => {
        for (; taken < 100; taken++) await spool.append([numbered(taken + 1, large)]);
      };
      await expect(fill()).rejects.toThrow(SpoolFullError);
    } finally {
      hanging.thaw();
    }
    const consumer = spool.consumer('a');
    const numbers = new Set<number>();
    const arrive = async () => {
      for (const delivery of await drain(consumer, 200)) numbers.add(numberOf(delivery));
      return [...numbers].sort((a, b) => a - b);
    };
    const all = Array.from({ length: taken }, (_, index) => index + 1);
    await expect.poll(arrive).toEqual(all);
    await spool.close();
  }, 120_000);
});
