import { execFile } from 'node:child_process';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../src/core/errors.ts';
import kafka from '../../src/outputs/kafka/index.ts';
import { goesAway, survivesOutage, WAYS } from '../support/broker-outage.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, type Logged, openOutput, trySend } from '../support/services/drive.ts';
import { type KafkaBroker, missingKafka, startKafka, USER } from '../support/services/kafka.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort, scratch } from '../support/services/process.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

describeWith('kafka', missingKafka(), () => {
  let authority: Authority;
  let stranger: Authority;
  let broker: KafkaBroker;

  beforeAll(async () => {
    const folder = await scratch('certificates');
    cleanup.push(() => folder.remove());
    authority = await createAuthority(folder.path, 'right');
    stranger = await createAuthority(folder.path, 'wrong');
    broker = await startKafka(authority);
    cleanup.push(() => broker.remove());
  }, 120_000);

  async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
    const opened = await openOutput(kafka, { hostport: broker.plain, ...config }, host);
    cleanup.push(() => opened.close!());
    return opened;
  }

  async function topic(name: string, partitions = 1, settings: Record<string, string> = {}): Promise<string> {
    const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    await broker.admin.createTopics({
      topics: [{ topic: name, numPartitions: partitions, configEntries }],
      waitForLeaders: true,
    });
    return name;
  }

  test('Kafka reads each alert as it is, whatever the compression', async () => {
    const compressions = ['NONE', 'GZIP', 'SNAPPY', 'LZ4', 'zstd'];
    const alerts = [falcoAlert(), ...falcoAlerts(300), falcoAlert({ output: 'long '.repeat(20_000) })];
    for (const compression of compressions) {
      const sender = await output({ topic: await topic(`codec.${compression}`), compression });
      await trySend(sender, alerts.slice(0, 1));
      await trySend(sender, alerts.slice(1));
    }
    const records = await broker.read(
      Object.fromEntries(compressions.map(name => [`codec.${name}`, alerts.length])),
    );
    for (const compression of compressions) {
      const seen = records.filter(record => record.topic === `codec.${compression}`);
      expect(seen.map(({ value }) => value)).toEqual(alerts.map(({ json }) => json));
      expect(new Set(seen.map(({ key }) => key))).toEqual(new Set([null]));
    }
  }, 60_000);

  test.each(['PLAIN', 'scram_sha256', 'SCRAM-SHA-512'])(
    'signs in with %s, and a refusal keeps the alert',
    async sasl => {
      const name = await topic(`sasl.${sasl}`);
      const config = { hostport: broker.sasl, topic: name, sasl, ...USER };
      await trySend(await output(config), [falcoAlert()]);
      const refused = await output({ ...config, password: 'wr0ng-password' });
      const failure = await failureOf(trySend(refused, [falcoAlert()]));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
      expect(failure.message).not.toContain('wr0ng');
    },
  );

  test('a listener that wants another way in is told as such', async () => {
    const name = await topic('sasl.none');
    const reason = async (config: Record<string, unknown>) =>
      failureOf(trySend(await output({ topic: name, ...config }), [falcoAlert()], 5000));
    await expect(reason({ hostport: broker.sasl })).resolves.toBeInstanceOf(RetriableError);
    await expect(reason({ sasl: 'PLAIN', ...USER })).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'auth',
    });
  });

  describe('over TLS', () => {
    const send = async (hostport: string, tls: Parameters<typeof hostOf>[0], timeoutMs?: number) =>
      trySend(await output({ hostport, topic: 'tls', tls: true }, hostOf(tls)), [falcoAlert()], timeoutMs);

    beforeAll(() => topic('tls'));

    test('its own authority is trusted', async () => {
      await send(broker.tls, { ca: [authority.ca] });
      await send(broker.tls.replace('127.0.0.1', 'localhost'), { ca: [stranger.ca, authority.ca] });
    });

    test('another authority is refused, unless certificates are not to be checked', async () => {
      for (const ca of [undefined, [stranger.ca]]) {
        const failure = await failureOf(send(broker.tls, { ca }));
        expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
      }
      await send(broker.tls, { verify: false });
    });

    test('a client certificate is shown where one is wanted', async () => {
      const { cert, key } = authority.client;
      await send(broker.mutualTls, { ca: [authority.ca], cert, key });
      await expect(failureOf(send(broker.mutualTls, { ca: [authority.ca] }, 5000))).resolves.toBeInstanceOf(
        RetriableError,
      );
    });

    test('plain text to a TLS listener fails', async () => {
      const plain = await output({ hostport: broker.tls, topic: 'tls' });
      await expect(failureOf(trySend(plain, [falcoAlert()], 5000))).resolves.toBeInstanceOf(RetriableError);
    });
  });

  test('partitions are chosen as asked, and as Java and librdkafka choose them', async () => {
    const balancers = ['round_robin', 'least_bytes', 'crc32', 'crc32_random', 'murmur2', 'murmur2_random'];
    const alerts = Array.from({ length: 30 }, (_, index) => falcoAlert({ rule: `Rule ${index}` }));
    for (const balancer of balancers) {
      const keyless = await output({ topic: await topic(`keyless.${balancer}`, 3), balancer });
      const keyed = await output({ topic: await topic(`keyed.${balancer}`, 3), balancer, key: 'rule' });
      await trySend(keyless, alerts);
      await trySend(keyed, alerts);
    }
    const topics = balancers.flatMap(name => [`keyless.${name}`, `keyed.${name}`]);
    const records = await broker.read(Object.fromEntries(topics.map(name => [name, alerts.length])));
    const spread = (name: string) =>
      [0, 1, 2].map(
        partition => records.filter(record => record.topic === name && record.partition === partition).length,
      );
    expect(spread('keyless.round_robin')).toEqual([10, 10, 10]);
    expect(spread('keyed.round_robin')).toEqual([10, 10, 10]);
    expect(Math.max(...spread('keyless.least_bytes'))).toBeLessThan(15);
    for (const hash of ['crc32', 'murmur2'] as const) {
      expect(spread(`keyless.${hash}`)).toContain(30);
      expect(spread(`keyless.${hash}_random`)).not.toContain(30);
      for (const name of [`keyed.${hash}`, `keyed.${hash}_random`]) {
        const keyed = records.filter(record => record.topic === name);
        expect(keyed.map(({ key }) => key).sort()).toEqual(alerts.map(({ rule }) => rule).sort());
        expect(keyed.map(({ partition }) => partition)).toEqual(keyed.map(record => record[hash]));
      }
    }
  }, 60_000);

  test('round_robin goes on over sends', async () => {
    const sender = await output({ topic: await topic('turns', 3) });
    for (const alert of falcoAlerts(6)) await trySend(sender, [alert]);
    const records = await broker.read({ turns: 6 });
    expect(
      [0, 1, 2].map(partition => records.filter(record => record.partition === partition).length),
    ).toEqual([2, 2, 2]);
  });

  test.each(['NONE', 'ONE', 'ALL'])('acknowledged by %s', async requiredacks => {
    const sender = await output({ topic: await topic(`acks.${requiredacks}`), requiredacks, async: true });
    await trySend(sender, falcoAlerts(50));
    await sender.close!();
    expect(await broker.read({ [`acks.${requiredacks}`]: 50 })).toHaveLength(50);
  });

  test('a topic that is not there is created if wished, and no alert is lost meanwhile', async () => {
    const missing = await output({ topic: 'made' });
    await expect(failureOf(trySend(missing, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      message: expect.stringContaining('does not exist'),
    });
    await expect(failureOf(missing.probe!(AbortSignal.timeout(5000)))).resolves.toBeInstanceOf(
      RetriableError,
    );
    const sender = await output({ topic: 'made', topiccreation: true });
    const alerts = falcoAlerts(3);
    for (const alert of alerts) await trySend(sender, [alert]);
    await sender.probe!(AbortSignal.timeout(5000));
    await trySend(await output({ topic: 'made', topiccreation: true }), [alerts[0]!]);
    const records = await broker.read({ made: 4 });
    expect(records.map(({ value }) => value).sort()).toEqual(
      [...alerts, alerts[0]!].map(({ json }) => json).sort(),
    );
    const [made] = (await broker.admin.fetchTopicMetadata({ topics: ['made'] })).topics;
    expect(made!.partitions).toHaveLength(2);
  });

  test('an alert over the limit of the topic is refused alone, the others are stored', async () => {
    const sender = await output({ topic: await topic('narrow', 3, { 'max.message.bytes': '20000' }) });
    const alerts = falcoAlerts(200);
    const big = falcoAlert({ output: 'x'.repeat(30_000) });
    alerts.splice(77, 0, big);
    const failure = await failureOf(trySend(sender, alerts));
    expect(failure).toBeInstanceOf(PartialError);
    expect([...(failure as PartialError).failed]).toEqual([[77, expect.any(PermanentError)]]);
    await expect(failureOf(trySend(sender, [big]))).resolves.toMatchObject({
      name: 'PermanentError',
      reason: 'payload',
    });
    const more = falcoAlerts(100, { rule: 'Afterwards' });
    await trySend(sender, more);
    const records = await broker.read({ narrow: 300 });
    const seen = new Map<string, number>();
    for (const { value } of records) seen.set(value, (seen.get(value) ?? 0) + 1);
    const stored = [...alerts.filter(alert => alert !== big), ...more];
    expect(stored.filter(({ json }) => !seen.has(json))).toEqual([]);
    expect(Math.max(...seen.values())).toBeLessThanOrEqual(2);
    expect(more.every(({ json }) => seen.get(json) === 1)).toBe(true);
  });

  test('of several brokers one is enough; an address without a broker is told as such', async () => {
    const name = await topic('several');
    const closed = `127.0.0.1:${await freePort()}`;
    await trySend(await output({ hostport: [closed, broker.plain], topic: name }), [falcoAlert()]);
    const away = await output({ hostport: closed, topic: name });
    const failure = await failureOf(trySend(away, [falcoAlert()]));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
  });

  test('a broker that never answers ends with the try and keeps no connection', async () => {
    const silent = createServer();
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => new Promise(resolve => silent.close(resolve)));
    const connected = new Promise<Socket>(resolve => silent.once('connection', resolve));
    const sender = await output({
      hostport: `127.0.0.1:${(silent.address() as AddressInfo).port}`,
      topic: 'silent',
    });
    await expect(failureOf(trySend(sender, [falcoAlert()], 200))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'timeout',
    });
    const socket = await connected;
    await new Promise(resolve => socket.resume().on('error', resolve).once('close', resolve));
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'a broker that goes away in the middle (%s) loses nothing',
    async signal => {
      const name = await topic(`shaky.${signal}`, 3);
      const logged: Logged[] = [];
      const sender = await output({ topic: name }, hostOf({}, logged));
      const alerts = falcoAlerts(5000);
      await trySend(sender, alerts.slice(0, 500));
      const half = deliver(sender, alerts.slice(500, 2500), 100);
      await broker.stop(signal);
      const rest = half.then(() => deliver(sender, alerts.slice(2500), 500));
      const away = await failureOf(trySend(await output({ topic: name }), [falcoAlert()]));
      expect(away).toBeInstanceOf(RetriableError);
      await broker.start();
      expect([...(await half), ...(await rest)]).toEqual([]);
      const stored = new Set((await broker.read({ [name]: 5000 })).map(({ value }) => value));
      expect(alerts.filter(({ json }) => !stored.has(json))).toEqual([]);
      expect(new Set(logged.map(({ level }) => level))).toEqual(new Set(['debug']));
    },
    120_000,
  );

  test.each(WAYS)(
    'a broker that %s in the middle of 5,000 alerts loses none',
    async way => {
      const name = await topic(`trial-${way.replace(' ', '-')}`);
      await survivesOutage({
        config: { kafka: { hostport: broker.plain, topic: name } },
        ...goesAway(way, broker),
        received: async () => {
          const [partition] = await broker.admin.fetchTopicOffsets(name);
          const count = Number(partition!.high);
          if (count === 0) return [];
          return (await broker.read({ [name]: count })).map(({ value }) => value);
        },
      });
    },
    180_000,
  );

  test('close is safe twice, before, while and after it was connected', async () => {
    const idle = await output({ topic: 'tls' });
    await idle.close!();
    const away = await output({ hostport: `127.0.0.1:${await freePort()}`, topic: 'tls' });
    const trying = failureOf(trySend(away, [falcoAlert()]));
    await away.close!();
    await away.close!();
    await expect(trying).resolves.toBeInstanceOf(RetriableError);
    const used = await output({ topic: 'tls' });
    await trySend(used, [falcoAlert()]);
    await used.close!();
    await used.close!();
  });

  test('Node has nothing to warn of', async () => {
    const script = fileURLToPath(new URL('../support/services/kafka-once.ts', import.meta.url));
    const args = ['--trace-warnings', script, broker.plain, await topic('quiet')];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    expect(stdout + stderr).toBe('');
  });
});
