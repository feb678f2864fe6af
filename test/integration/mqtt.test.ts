import { createServer, type Socket } from 'node:net';
import { connectAsync, type IClientOptions, type IPublishPacket } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../src/core/errors.ts';
import mqtt from '../../src/outputs/mqtt/index.ts';
import { goesAway, survivesOutage, type Way } from '../support/broker-outage.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import {
  type MosquittoServer,
  missingMosquitto,
  startMosquitto,
  USER,
} from '../support/services/mosquitto.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort, scratch } from '../support/services/process.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

describeWith('mqtt', missingMosquitto(), () => {
  let server: MosquittoServer;
  let authority: Authority;
  let stranger: Authority;
  let broker: string;

  beforeAll(async () => {
    const folder = await scratch('certificates');
    cleanup.push(() => folder.remove());
    authority = await createAuthority(folder.path, 'right');
    stranger = await createAuthority(folder.path, 'wrong');
    server = await startMosquitto(authority);
    cleanup.push(() => server.remove());
    broker = `tcp://127.0.0.1:${server.ports.plain}`;
  });

  async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
    const opened = await openOutput(mqtt, { broker, ...config }, host);
    cleanup.push(() => opened.close!());
    return opened;
  }

  interface Reader {
    seen: IPublishPacket[];
    /** What has arrived when that many have. */
    texts(count: number): Promise<string[]>;
  }

  /** Collects what is published to a topic from now on. */
  async function listen(topic: string, options: IClientOptions = {}): Promise<Reader> {
    const client = await connectAsync(broker, { reconnectPeriod: 200, ...options });
    cleanup.push(() => client.endAsync(true));
    const seen: IPublishPacket[] = [];
    client.on('message', (_topic, _payload, packet) => void seen.push(packet));
    await client.subscribeAsync(topic, { qos: 2 });
    return {
      seen,
      async texts(count) {
        await expect.poll(() => seen.length).toBeGreaterThanOrEqual(count);
        return seen.map(({ payload }) => payload.toString());
      },
    };
  }

  const versions = ['3.1.1', '5'];
  const matrix = versions.flatMap(version => [0, 1, 2].map(qos => ({ version, qos })));

  test.each(matrix)('each alert arrives as it is (version $version, QoS $qos)', async config => {
    const topic = `falco/${config.version}/${config.qos}`;
    const reader = await listen(topic);
    const alerts = [falcoAlert(), falcoAlert({ priority: 'critical', output: '“quoted” \u0000 \r\n' })];
    const sender = await output({ ...config, topic });
    await sender.probe!(AbortSignal.timeout(5000));
    await trySend(sender, alerts);
    const texts = await reader.texts(2);
    expect(texts).toEqual(alerts.map(({ json }) => json));
    expect(texts[0]).toContain(`"evt.time":${EXACT_TIME}`);
    expect(reader.seen.map(({ qos, retain }) => ({ qos, retain }))).toEqual(
      alerts.map(() => ({ qos: config.qos, retain: false })),
    );
  });

  test.each(matrix)('batches arrive whole and in order (version $version, QoS $qos)', async config => {
    const topic = `order/${config.version}/${config.qos}`;
    const reader = await listen(topic);
    const alerts = falcoAlerts(1000);
    const sender = await output({ ...config, topic });
    for (let from = 0; from < alerts.length; from += 200) {
      await trySend(sender, alerts.slice(from, from + 200));
    }
    expect(await reader.texts(1000)).toEqual(alerts.map(({ json }) => json));
  });

  test('a retained alert is there for who comes later', async () => {
    const alert = falcoAlert();
    await trySend(await output({ topic: 'kept', qos: 1, retained: true }), [alert]);
    const reader = await listen('kept');
    expect(await reader.texts(1)).toEqual([alert.json]);
    expect(reader.seen[0]!.retain).toBe(true);
  });

  test('the client id is the one that was set, or one of its own', async () => {
    const first = await output({ clientid: 'same' });
    await trySend(first, [falcoAlert()]);
    // The broker hangs up on whoever had the id before.
    await trySend(await output({ clientid: 'same' }), [falcoAlert()]);
    await trySend(first, [falcoAlert()]);
    const [one, other] = [await output({}), await output({})];
    for (const sender of [one, other, one, other]) await trySend(sender, [falcoAlert()]);
  });

  test('an alert that the broker hangs up on does not keep the others', async () => {
    const reader = await listen('narrow', { protocolVersion: 5 });
    const alerts = falcoAlerts(10);
    const big = falcoAlert({ output: 'x'.repeat(30_000) });
    const batch = [...alerts.slice(0, 5), big, ...alerts.slice(5)];
    const sender = await output({ topic: 'narrow', qos: 1 });
    await expect(failureOf(trySend(sender, batch))).resolves.toBeInstanceOf(Error);
    const failure = await failureOf(trySend(sender, batch));
    expect(failure).toBeInstanceOf(PartialError);
    expect([...(failure as PartialError).failed]).toEqual([[5, expect.any(RetriableError)]]);
    // What the first try had sent before the broker hung up may come twice.
    await expect
      .poll(async () => new Set(await reader.texts(10)))
      .toEqual(new Set(alerts.map(({ json }) => json)));
  });

  test('with version 5 the broker says beforehand what is too large', async () => {
    const sender = await output({ topic: 'narrow', qos: 1, version: 5 });
    const failure = await failureOf(
      trySend(sender, [falcoAlert(), falcoAlert({ output: 'x'.repeat(30_000) }), falcoAlert()]),
    );
    expect([...(failure as PartialError).failed]).toEqual([
      [1, expect.objectContaining({ name: 'PermanentError', reason: 'payload' })],
    ]);
    expect((failure as PartialError).failed.get(1)).toBeInstanceOf(PermanentError);
  });

  test('every way to sign in, and refusals that keep the alert', async () => {
    const address = `127.0.0.1:${server.ports.login}`;
    const login = `${USER.username}:${encodeURIComponent(USER.password)}`;
    const user = { user: USER.username, password: USER.password };
    for (const version of versions) {
      const good = [{ broker: `tcp://${address}`, ...user }, { broker: `mqtt://${login}@${address}` }];
      for (const config of good) await trySend(await output({ ...config, version, qos: 1 }), [falcoAlert()]);
      const bad = [
        { broker: `tcp://${address}` },
        { broker: `tcp://${address}`, ...user, password: 'wr0ng-password' },
        { broker: `tcp://nobody:wr0ng-password@${address}` },
      ];
      for (const config of bad) {
        const failure = await failureOf(trySend(await output({ ...config, version }), [falcoAlert()]));
        expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
        expect(failure.message).not.toMatch(/wr0ng|127\.0\.0\.1|nobody/);
      }
    }
    // With 3.1.1 a broker acknowledges what it does not let through.
    const denied = await output({
      broker: `tcp://${login}@${address}`,
      topic: 'secret/a',
      qos: 1,
      version: 5,
    });
    await expect(failureOf(trySend(denied, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'auth',
    });
  });

  test('a broker that is away is told as such', async () => {
    const sender = await output({ broker: `tcp://127.0.0.1:${await freePort()}` });
    const failure = await failureOf(trySend(sender, [falcoAlert()]));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
    await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toBeInstanceOf(RetriableError);
  });

  test.each(['tcp', 'ssl', 'ws'])('a broker that never answers keeps no connection (%s)', async scheme => {
    const silent = createServer();
    const port = await new Promise<number>(resolve =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
    );
    cleanup.push(() => new Promise(resolve => silent.close(resolve)));
    const connected = new Promise<Socket>(resolve => silent.once('connection', resolve));
    const sender = await output({ broker: `${scheme}://127.0.0.1:${port}` });
    await expect(failureOf(trySend(sender, [falcoAlert()], 200))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'timeout',
    });
    const gone = connected.then(
      socket => new Promise(resolve => socket.resume().on('error', resolve).once('close', resolve)),
    );
    await sender.close!();
    await gone;
  });

  test('close is safe twice', async () => {
    const sender = await output({});
    await trySend(sender, [falcoAlert()]);
    await sender.close!();
    await sender.close!();
    await expect(failureOf(trySend(sender, [falcoAlert()]))).resolves.toBeInstanceOf(RetriableError);
  });

  describe('over TLS and WebSockets', () => {
    const send = async (address: string, tls: Parameters<typeof hostOf>[0]) =>
      trySend(await output({ broker: address, qos: 1 }, hostOf(tls)), [falcoAlert()]);

    test('its own authority is trusted, another is refused, unless certificates are not to be checked', async () => {
      const { tls, secureWebsocket } = server.ports;
      const schemes = ['ssl', 'tls', 'mqtts'].map(scheme => [scheme, tls] as const);
      for (const [scheme, port] of [...schemes, ['wss', secureWebsocket] as const]) {
        await send(`${scheme}://localhost:${port}`, { ca: [authority.ca] });
        await send(`${scheme}://127.0.0.1:${port}`, { ca: [authority.ca], serverName: 'localhost' });
        await send(`${scheme}://localhost:${port}`, { verify: false });
        for (const ca of [undefined, [stranger.ca]]) {
          await expect(failureOf(send(`${scheme}://localhost:${port}`, { ca }))).resolves.toMatchObject({
            name: 'RetriableError',
            reason: 'network',
            message: expect.stringContaining('certificate is not trusted'),
          });
        }
      }
    });

    test('a client certificate is shown where one is wanted', async () => {
      const address = `ssl://localhost:${server.ports.mutualTls}`;
      const { cert, key } = authority.client;
      await send(address, { ca: [authority.ca], cert, key });
      await expect(failureOf(send(address, { ca: [authority.ca] }))).resolves.toBeInstanceOf(RetriableError);
    });

    test('WebSockets without TLS', async () => {
      await send(`ws://127.0.0.1:${server.ports.websocket}`, {});
    });
  });

  test.each<{ way: Way; qos: number; version: string }>([
    { way: 'is stopped', qos: 1, version: '3.1.1' },
    { way: 'is stopped', qos: 2, version: '5' },
    { way: 'hangs', qos: 1, version: '5' },
  ])(
    'a broker that $way in the middle of 5,000 alerts loses none (version $version, QoS $qos)',
    async ({ way, ...config }) => {
      const topic = `outage/${config.version}/${config.qos}`;
      // The broker keeps for this session what comes while it is away.
      const reader = await listen(topic, { clean: false, clientId: topic });
      const { duplicates } = await survivesOutage({
        config: { mqtt: { broker, topic, ...config } },
        ...goesAway(way, server),
        // What the broker sent to the reader again counts once: its first sending may not have got here.
        received: async () => {
          const first = reader.seen.filter(({ dup }) => !dup).map(({ payload }) => payload.toString());
          const again = reader.seen.filter(({ dup }) => dup).map(({ payload }) => payload.toString());
          const known = new Set(first);
          return [...first, ...new Set(again.filter(text => !known.has(text)))];
        },
      });
      expect(duplicates).toBeLessThanOrEqual(200);
    },
    120_000,
  );
});
