import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type Msg, type NatsConnection, nkeys } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../src/core/errors.ts';
import nats from '../../src/outputs/nats/index.ts';
import { goesAway, survivesOutage, type Way } from '../support/broker-outage.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { createCredentials, missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort, scratch } from '../support/services/process.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(extra?: string): Promise<NatsServer> {
  const started = await startNats(extra);
  cleanup.push(() => started.remove());
  return started;
}

async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
  const opened = await openOutput(nats, config, host);
  cleanup.push(() => opened.close!());
  return opened;
}

async function client(port: number, options: Parameters<typeof connect>[0] = {}): Promise<NatsConnection> {
  const connection = await connect({ servers: `127.0.0.1:${port}`, ...options });
  cleanup.push(() => connection.close());
  return connection;
}

/** Collects what is published from now on. */
async function listen(connection: NatsConnection, subject = 'falco.>'): Promise<Msg[]> {
  const seen: Msg[] = [];
  connection.subscribe(subject, { callback: (_error, message) => void seen.push(message) });
  await connection.flush();
  return seen;
}

/** All messages of a stream, as texts. */
async function storedIn(connection: NatsConnection, stream: string): Promise<string[]> {
  const consumer = await jetstream(connection, { timeout: 20_000 }).consumers.get(stream);
  const { num_pending: pending } = await consumer.info();
  const texts: string[] = [];
  if (pending === 0) return texts;
  for await (const message of await consumer.fetch({ max_messages: pending })) texts.push(message.string());
  return texts;
}

describeWith('nats', missingNats(), () => {
  let plain: NatsServer;
  let reader: NatsConnection;
  let url: string;

  beforeAll(async () => {
    plain = await server();
    url = `nats://127.0.0.1:${plain.port}`;
    reader = await client(plain.port);
  });

  test('each alert goes to its subject, as it is, without headers', async () => {
    const seen = await listen(reader);
    const alerts = [
      falcoAlert(),
      falcoAlert({ rule: '..*.>', priority: 'critical', output: '“quoted” \u0000 \r\nPUB x 1' }),
    ];
    await trySend(await output({ hostport: url }), alerts);
    await reader.flush();
    expect(seen.map(({ subject }) => subject)).toEqual([
      'falco.warning.shell_opened_in_container',
      'falco.critical._',
    ]);
    expect(seen.map(message => message.string())).toEqual(alerts.map(({ json }) => json));
    expect(seen[0]!.string()).toContain(`"evt.time":${EXACT_TIME}`);
    expect(seen[0]!.headers).toBeUndefined();
  });

  test('a batch arrives whole and in order over one connection, also from sends side by side', async () => {
    const seen = await listen(reader, 'order');
    const alerts = falcoAlerts(2000);
    const sender = await output({ hostport: url, subjecttemplate: 'order' });
    const before = await plain.connections();
    await Promise.all([0, 500, 1000, 1500].map(from => trySend(sender, alerts.slice(from, from + 500))));
    await reader.flush();
    expect(seen.map(message => message.string())).toEqual(alerts.map(({ json }) => json));
    expect(await plain.connections()).toBe(before + 1);
  });

  test('of several servers one is enough', async () => {
    const sender = await output({ hostport: `nats://127.0.0.1:${await freePort()},${url}` });
    await trySend(sender, [falcoAlert()]);
  });

  test('a server that is away is told as such, and found when it comes', async () => {
    const port = await freePort();
    const sender = await output({ hostport: `127.0.0.1:${port}` });
    const failure = await failureOf(trySend(sender, [falcoAlert()]));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
    await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toMatchObject({
      reason: 'network',
    });
  });

  test('a server that never says hello ends with the try and keeps no connection', async () => {
    const silent = createServer();
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => new Promise(resolve => silent.close(resolve)));
    const connected = new Promise<Socket>(resolve => silent.once('connection', resolve));
    const sender = await output({ hostport: `tls://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    await expect(failureOf(trySend(sender, [falcoAlert()], 200))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'timeout',
    });
    await new Promise(resolve => connected.then(socket => socket.resume().once('close', resolve)));
  });

  test('an alert over the limit of the server is refused alone', async () => {
    const small = await server('max_payload: 4096');
    const reader = await client(small.port);
    const seen = await listen(reader);
    const sender = await output({ hostport: `127.0.0.1:${small.port}` });
    const big = falcoAlert({ output: 'x'.repeat(5000) });
    const failure = await failureOf(trySend(sender, [falcoAlert(), big, falcoAlert()]));
    expect(failure).toBeInstanceOf(PartialError);
    expect([...(failure as PartialError).failed.keys()]).toEqual([1]);
    expect((failure as PartialError).failed.get(1)).toMatchObject({
      name: 'PermanentError',
      reason: 'payload',
    });
    await reader.flush();
    expect(seen).toHaveLength(2);
    await expect(failureOf(trySend(sender, [big]))).resolves.toBeInstanceOf(PermanentError);
  });

  test('JetStream acknowledges, and drops what it has', async () => {
    const manager = await jetstreamManager(reader, { timeout: 20_000 });
    await manager.streams.add({ name: 'STORED', subjects: ['stored.>'] });
    const sender = await output({
      hostport: url,
      jetstream: true,
      subjecttemplate: 'stored.<priority>.<rule>',
    });
    const alerts = falcoAlerts(100);
    await sender.probe!(AbortSignal.timeout(5000));
    await trySend(sender, alerts);
    await trySend(sender, alerts.slice(0, 10));
    expect((await manager.streams.info('STORED')).state.messages).toBe(100);
    const first = await manager.streams.getMessage('STORED', { seq: 1 });
    expect(first!.string()).toBe(alerts[0]!.json);
    expect(first!.header.get('Nats-Msg-Id')).toBe(alerts[0]!.uuid);
  });

  test('JetStream without a stream for the subject, a full one and a wrong one: nothing is lost or given up', async () => {
    const manager = await jetstreamManager(reader, { timeout: 20_000 });
    const reason = async (config: Record<string, unknown>) => {
      const sender = await output({ hostport: url, jetstream: true, ...config });
      return failureOf(trySend(sender, falcoAlerts(2)));
    };
    await expect(reason({ subjecttemplate: 'nobody' })).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'server_error',
      message: expect.stringContaining('no JetStream stream'),
    });
    await manager.streams.add({ name: 'FULL', subjects: ['full'], max_msgs: 1, discard: 'new' as never });
    const full = await reason({ subjecttemplate: 'full' });
    expect(full).toBeInstanceOf(PartialError);
    expect([...(full as PartialError).failed]).toEqual([[1, expect.any(RetriableError)]]);
    await expect(reason({ subjecttemplate: 'full', stream: 'OTHER' })).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'client_error',
    });
  });

  test('JetStream refuses for good what its stream finds too large', async () => {
    const manager = await jetstreamManager(reader, { timeout: 20_000 });
    await manager.streams.add({ name: 'NARROW', subjects: ['narrow'], max_msg_size: 2000 });
    const sender = await output({ hostport: url, jetstream: true, subjecttemplate: 'narrow' });
    const failure = await failureOf(
      trySend(sender, [falcoAlert({ output: 'x'.repeat(3000) }), falcoAlert()]),
    );
    expect([...(failure as PartialError).failed]).toEqual([[0, expect.any(PermanentError)]]);
  });

  test.each([
    ['core', { subjecttemplate: 'core.<rule>' }],
    ['JetStream', { subjecttemplate: 'js.<rule>', jetstream: true }],
  ])(
    '%s: a server that restarts in the middle loses nothing',
    async (_, config) => {
      const shaky = await server();
      const admin = await client(shaky.port);
      const manager = await jetstreamManager(admin, { timeout: 20_000 });
      await manager.streams.add({ name: 'ALL', subjects: ['core.>', 'js.>'] });
      const sender = await output({ hostport: `127.0.0.1:${shaky.port}`, ...config });
      const alerts = falcoAlerts(5000);
      const half = deliver(sender, alerts.slice(0, 2500), 250);
      // Without JetStream's answer the server has a message before its stream has stored it.
      if (!('jetstream' in config)) await expect.poll(() => storedIn(admin, 'ALL')).toHaveLength(2500);
      await shaky.stop();
      const rest = half.then(() => deliver(sender, alerts.slice(2500), 250));
      await expect(
        failureOf(trySend(sender, [falcoAlert({ rule: 'while away' })], 3000)),
      ).resolves.toBeInstanceOf(RetriableError);
      await shaky.start();
      expect([...(await half), ...(await rest)]).toEqual([]);
      // What the first client asks while it is still reconnecting would be lost.
      const stored = await storedIn(await client(shaky.port), 'ALL');
      const different = new Set(stored);
      expect(alerts.filter(({ json }) => !different.has(json))).toEqual([]);
      if ('jetstream' in config) expect(stored).toHaveLength(different.size);
    },
    60_000,
  );

  test.each<[string, Way, Record<string, unknown>]>([
    ['core NATS', 'is stopped', { subjecttemplate: 'core.trial' }],
    ['core NATS', 'hangs', { subjecttemplate: 'core.trial' }],
    ['JetStream', 'is stopped', { subjecttemplate: 'js.trial', jetstream: true }],
    ['JetStream', 'hangs', { subjecttemplate: 'js.trial', jetstream: true }],
  ])(
    '%s: a server that %s in the middle of 5,000 alerts loses none',
    async (_, way, config) => {
      const shaky = await server();
      const manager = await jetstreamManager(await client(shaky.port), { timeout: 20_000 });
      await manager.streams.add({ name: 'ALL', subjects: ['core.>', 'js.>'] });
      const { duplicates } = await survivesOutage({
        config: { nats: { hostport: `127.0.0.1:${shaky.port}`, ...config } },
        ...goesAway(way, shaky),
        // Without JetStream's answer the server has a message before its stream has stored it.
        stopsIdle: !('jetstream' in config),
        received: async () => {
          const own = await connect({ servers: `127.0.0.1:${shaky.port}` });
          try {
            return await storedIn(own, 'ALL');
          } finally {
            await own.close();
          }
        },
      });
      if ('jetstream' in config) expect(duplicates).toBe(0);
    },
    120_000,
  );

  test('every way to sign in, and a refusal that keeps the alert', async () => {
    const user = await server('authorization { user: ada, password: "p@ss:word" }');
    const token = await server('authorization { token: s3cret-token }');
    const seed = nkeys.createUser();
    const nkey = await server(`authorization { users: [ { nkey: ${seed.getPublicKey()} } ] }`);
    const at = ({ port }: NatsServer) => `127.0.0.1:${port}`;
    const good = [
      { hostport: `nats://ada:p%40ss%3Aword@${at(user)}` },
      { hostport: at(user), username: 'ada', password: 'p@ss:word' },
      { hostport: `nats://s3cret-token@${at(token)}` },
      { hostport: at(token), token: 's3cret-token' },
      { hostport: at(nkey), nkey: Buffer.from(seed.getSeed()).toString() },
    ];
    for (const config of good) await trySend(await output(config), [falcoAlert()]);
    const bad = [
      { hostport: at(user) },
      { hostport: at(user), username: 'ada', password: 'wr0ng-password' },
      { hostport: at(token), token: 'wr0ng-token' },
      { hostport: at(nkey), nkey: Buffer.from(nkeys.createUser().getSeed()).toString() },
    ];
    for (const config of bad) {
      const failure = await failureOf(trySend(await output(config), [falcoAlert()]));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
      expect(failure.message).not.toMatch(/wr0ng|127\.0\.0\.1/);
    }
  });

  test('credentials may be given as text or as a file', async () => {
    const folder = await scratch('creds');
    cleanup.push(() => folder.remove());
    const { settings, credentials } = createCredentials();
    const file = join(folder.path, 'user.creds');
    await writeFile(file, credentials);
    const locked = await server(settings);
    for (const value of [credentials, file]) {
      await trySend(await output({ hostport: `127.0.0.1:${locked.port}`, credentials: value }), [
        falcoAlert(),
      ]);
    }
    const missing = await output({
      hostport: `127.0.0.1:${locked.port}`,
      credentials: join(folder.path, 'none.creds'),
    });
    await expect(failureOf(trySend(missing, [falcoAlert()]))).resolves.toBeInstanceOf(RetriableError);
  });

  test.each([true, false])(
    'a forbidden subject is not taken for a delivery (JetStream: %s)',
    async jetstream => {
      const strict = await server(
        'authorization { users: [ { user: ada, password: pw, permissions: { publish: { deny: "falco.debug.>" } } } ] }',
      );
      const admin = await client(strict.port, { user: 'ada', pass: 'pw' });
      await (await jetstreamManager(admin, { timeout: 20_000 })).streams.add({
        name: 'ALL',
        subjects: ['falco.>'],
      });
      const sender = await output({
        hostport: `127.0.0.1:${strict.port}`,
        username: 'ada',
        password: 'pw',
        jetstream,
      });
      const failure = await failureOf(
        trySend(sender, [falcoAlert(), falcoAlert({ priority: 'debug' }), falcoAlert()]),
      );
      expect([...(failure as PartialError).failed]).toEqual([
        [1, expect.objectContaining({ reason: 'auth' })],
      ]);
      await trySend(sender, [falcoAlert()]);
    },
  );

  test('credentials that change while connected: refused without loss, then right again', async () => {
    const folder = await scratch('nats-auth');
    cleanup.push(() => folder.remove());
    const moody = await server('authorization { user: ada, password: pw }');
    const sender = await output({ hostport: `127.0.0.1:${moody.port}`, username: 'ada', password: 'pw' });
    await trySend(sender, [falcoAlert()]);
    await moody.stop();
    const strict = await startNats('authorization { user: ada, password: other }', moody.port);
    cleanup.push(() => strict.remove());
    await expect
      .poll(async () => (await failureOf(trySend(sender, [falcoAlert()]))) as RetriableError, {
        timeout: 15_000,
      })
      .toMatchObject({ name: 'RetriableError', reason: 'auth' });
    await strict.remove();
    await moody.start();
    expect(await deliver(sender, [falcoAlert()], 1)).toEqual([]);
  });

  test('close is safe twice and while the server is away', async () => {
    const sender = await output({ hostport: `127.0.0.1:${await freePort()}` });
    await failureOf(trySend(sender, [falcoAlert()]));
    await sender.close!();
    await sender.close!();
    const other = await output({ hostport: url });
    await trySend(other, [falcoAlert()]);
    await other.close!();
    await other.close!();
  });

  describe('over TLS', () => {
    let authority: Authority;
    let stranger: Authority;
    let secured: NatsServer;
    let mutual: NatsServer;

    beforeAll(async () => {
      const folder = await scratch('certificates');
      cleanup.push(() => folder.remove());
      authority = await createAuthority(folder.path, 'right');
      stranger = await createAuthority(folder.path, 'wrong');
      const pair = `cert_file: "${authority.server.certFile}", key_file: "${authority.server.keyFile}"`;
      secured = await server(`tls { ${pair} }`);
      mutual = await server(`tls { ${pair}, ca_file: "${authority.caFile}", verify: true }`);
    });

    const send = async (hostport: string, tls: Parameters<typeof hostOf>[0]) =>
      trySend(await output({ hostport }, hostOf(tls)), [falcoAlert()]);

    test('its own authority is trusted, with and without tls:// in the address', async () => {
      for (const scheme of ['tls', 'natss', 'nats'])
        await send(`${scheme}://localhost:${secured.port}`, { ca: [authority.ca] });
      await send(`tls://127.0.0.1:${secured.port}`, { ca: [authority.ca], serverName: 'localhost' });
    });

    test('another authority is refused, unless certificates are not to be checked', async () => {
      for (const ca of [undefined, [stranger.ca]]) {
        const failure = await failureOf(send(`tls://localhost:${secured.port}`, { ca }));
        expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
      }
      await send(`tls://localhost:${secured.port}`, { verify: false });
    });

    test('a client certificate is shown where one is wanted', async () => {
      const { cert, key } = authority.client;
      await send(`tls://localhost:${mutual.port}`, { ca: [authority.ca], cert, key });
      await expect(
        failureOf(send(`tls://localhost:${mutual.port}`, { ca: [authority.ca] })),
      ).resolves.toBeInstanceOf(RetriableError);
    });

    test('tls:// never falls back to plain text', async () => {
      await expect(failureOf(send(url.replace('nats:', 'tls:'), {}))).resolves.toBeInstanceOf(RetriableError);
    });
  });
});
