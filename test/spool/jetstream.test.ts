import { afterAll, beforeAll } from 'vitest';
import { Folders, jetStreamConfig, ON_A_SERVER, openOnServer } from '../support/jetstream.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { type NatsCluster, startNatsCluster } from '../support/services/nats-cluster.ts';
import { describeWith } from '../support/services/need.ts';
import { runSpoolSuite } from './suite.ts';

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
});
