/** Partitions of one topic that fare differently. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Output } from '../../../../src/core/contract.ts';
import { PartialError } from '../../../../src/core/errors.ts';
import kafka from '../../../../src/outputs/kafka/index.ts';
import { type FakeKafka, fakeKafka } from '../../../support/fake-kafka.ts';
import { falcoAlert, falcoAlerts } from '../../../support/services/alerts.ts';
import { deliver, failureOf, openOutput, trySend } from '../../../support/services/drive.ts';

const NOT_LEADER = 6;
const MESSAGE_TOO_LARGE = 10;
const NOT_ENOUGH_REPLICAS = 19;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(
  { partitions = 2, brokers = 1 },
  config: Record<string, unknown> = {},
): Promise<[FakeKafka, Output]> {
  const cluster = await fakeKafka(partitions, brokers);
  cleanups.push(() => cluster.close());
  const output = await openOutput(kafka, { hostport: cluster.address, topic: 'falco', ...config });
  cleanups.push(() => output.close?.());
  return [cluster, output];
}

const stored = ({ partitions }: FakeKafka) => partitions.map(partition => partition.stored);

async function partialOf(work: Promise<void>): Promise<PartialError> {
  const failure = await failureOf(work);
  expect(failure).toBeInstanceOf(PartialError);
  return failure as PartialError;
}

/** Alerts whose keys, their rules, belong to both of two partitions. */
const keyed = () => Array.from({ length: 10 }, (_, index) => falcoAlert({ rule: `Rule ${index}` }));

describe('a partition that refuses', () => {
  test.each([NOT_LEADER, NOT_ENOUGH_REPLICAS])('fails its own alerts only: error %i', async code => {
    const [cluster, output] = await start({});
    cluster.partitions[1]!.refuses = code;
    const { failed } = await partialOf(trySend(output, falcoAlerts(10)));
    expect([...failed.keys()]).toEqual([1, 3, 5, 7, 9]);
    expect(new Set(failed.values()).size).toBe(1);
    expect(failed.get(1)).toMatchObject({ name: 'RetriableError', reason: 'server_error' });
    expect(stored(cluster)).toEqual([5, 0]);
  });

  test('no alert is stored twice, and what it refused gets through in another one', async () => {
    const [cluster, output] = await start({});
    cluster.partitions[0]!.refuses = NOT_ENOUGH_REPLICAS;
    expect(await deliver(output, falcoAlerts(10), 10)).toEqual([]);
    expect(stored(cluster)).toEqual([0, 10]);
    expect(cluster.produced).toBe(2);
  });

  test('keeps the alerts whose keys belong to it, until it takes them', async () => {
    const [cluster, output] = await start({}, { balancer: 'murmur2', key: 'rule' });
    cluster.partitions[1]!.refuses = NOT_ENOUGH_REPLICAS;
    const alerts = keyed();
    const { failed } = await partialOf(trySend(output, alerts));
    const waiting = [...failed.keys()].map(index => alerts[index]!);
    expect(stored(cluster)).toEqual([alerts.length - waiting.length, 0]);
    await expect(failureOf(trySend(output, waiting))).resolves.toMatchObject({ reason: 'server_error' });
    cluster.partitions[1]!.refuses = 0;
    await trySend(output, waiting);
    expect(stored(cluster)).toEqual([alerts.length - waiting.length, waiting.length]);
  });

  test('costs no connection', async () => {
    const [cluster, output] = await start({}, { balancer: 'murmur2', key: 'rule' });
    cluster.partitions[1]!.refuses = NOT_ENOUGH_REPLICAS;
    for (let round = 0; round < 3; round++) await partialOf(trySend(output, keyed()));
    expect(cluster.connected).toBe(1);
  });

  test('is looked for elsewhere the next time', async () => {
    const [cluster, output] = await start({ brokers: 2 }, { balancer: 'murmur2', key: 'rule' });
    await trySend(output, keyed());
    const [first, second] = stored(cluster) as [number, number];
    cluster.partitions[1]!.leader = 0;
    expect(await deliver(output, keyed(), 10)).toEqual([]);
    expect(stored(cluster)).toEqual([2 * first, 2 * second]);
  });

  test('finds alerts too large: those of the others are stored once', async () => {
    const [cluster, output] = await start({});
    cluster.partitions[1]!.refuses = MESSAGE_TOO_LARGE;
    const { failed } = await partialOf(trySend(output, falcoAlerts(8)));
    expect([...failed.keys()].sort()).toEqual([1, 3, 5, 7]);
    for (const refused of failed.values()) {
      expect(refused).toMatchObject({ name: 'PermanentError', reason: 'payload' });
    }
    expect(stored(cluster)).toEqual([4, 0]);
  });
});

describe('a partition without a leader', () => {
  test.each(['round_robin', 'least_bytes', 'crc32_random', 'murmur2_random'])(
    'is left out by %s',
    async balancer => {
      const [cluster, output] = await start({ partitions: 3 }, { balancer });
      cluster.partitions[1]!.leader = -1;
      await trySend(output, falcoAlerts(50));
      const [first, second, third] = stored(cluster);
      expect(second).toBe(0);
      expect(first! + third!).toBe(50);
      expect(Math.min(first!, third!)).toBeGreaterThan(0);
    },
  );

  test.each(['crc32', 'murmur2'])('keeps the keys that belong to it, with %s', async balancer => {
    const [cluster, output] = await start({}, { balancer, key: 'rule' });
    cluster.partitions[1]!.leader = -1;
    const alerts = keyed();
    const { failed } = await partialOf(trySend(output, alerts));
    expect(failed.values().next().value).toMatchObject({
      name: 'RetriableError',
      reason: 'server_error',
      message: 'partition 1 has no leader',
    });
    cluster.partitions[1]!.leader = 0;
    await trySend(
      output,
      [...failed.keys()].map(index => alerts[index]!),
    );
    expect(stored(cluster)).toEqual([10 - failed.size, failed.size]);
  });

  test('when none has one, the try fails', async () => {
    const [cluster, output] = await start({});
    for (const partition of cluster.partitions) partition.leader = -1;
    await expect(failureOf(trySend(output, falcoAlerts(2)))).resolves.toMatchObject({
      name: 'RetriableError',
      message: expect.stringContaining('LEADER_NOT_AVAILABLE'),
    });
  });
});

describe('several brokers', () => {
  test('get one request each for a batch', async () => {
    const [cluster, output] = await start({ partitions: 6, brokers: 2 });
    for (let round = 0; round < 3; round++) await trySend(output, falcoAlerts(60));
    expect(stored(cluster)).toEqual([30, 30, 30, 30, 30, 30]);
    expect(cluster.produced).toBe(6);
  });

  test('one that has gone fails what it leads only', async () => {
    const [cluster, output] = await start({ brokers: 2 });
    cluster.leave(1);
    const { failed } = await partialOf(trySend(output, falcoAlerts(10)));
    expect(failed.get(1)).toMatchObject({ name: 'RetriableError', reason: 'network' });
    expect(failed.size).toBe(5);
    expect(stored(cluster)).toEqual([5, 0]);
  });

  test('one that does not answer fails what it leads only, when the time of the try is over', async () => {
    const [cluster, output] = await start({ brokers: 2 });
    cluster.silent.add(1);
    const { failed } = await partialOf(trySend(output, falcoAlerts(10), 500));
    expect([...failed.keys()]).toEqual([1, 3, 5, 7, 9]);
    expect(failed.get(1)).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
  });
});
