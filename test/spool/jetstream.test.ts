import { afterAll, beforeAll, expect, test } from 'vitest';
import { SpoolFullError } from '../../src/core/spool/contract.ts';
import { Folders, jetStreamConfig, ON_A_SERVER, openOnServer } from '../support/jetstream.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { type NatsCluster, startNatsCluster } from '../support/services/nats-cluster.ts';
import { describeWith } from '../support/services/need.ts';
import { drain, numbered, numberOf } from '../support/spool.ts';
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
