import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../src/core/errors.ts';
import stan from '../../src/outputs/stan/index.ts';
import { survivesOutage } from '../support/broker-outage.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, type Logged, openOutput, trySend } from '../support/services/drive.ts';
import { missingNats, startNats } from '../support/services/nats.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort, scratch } from '../support/services/process.ts';
import { CLUSTER, missingStan, StanReader, type StanServer, startStan } from '../support/services/stan.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(options?: Parameters<typeof startStan>[0]): Promise<StanServer> {
  const started = await startStan(options);
  cleanup.push(() => started.remove());
  return started;
}

let ids = 0;

/** Each output has a client id of its own. */
async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
  const opened = await openOutput(stan, { clusterid: CLUSTER, clientid: `client-${ids++}`, ...config }, host);
  cleanup.push(() => opened.close!());
  return opened;
}

describeWith('stan', missingStan() ?? missingNats(), () => {
  let plain: StanServer;
  let url: string;

  beforeAll(async () => {
    plain = await server();
    url = `nats://127.0.0.1:${plain.port}`;
  });

  const texts = (channel: string, from = plain) => new StanReader(from, channel).texts();

  test('each alert is stored in its channel as it is', async () => {
    const alerts = [
      falcoAlert(),
      falcoAlert({ rule: '..*.>', priority: 'critical', output: '“quoted” \u0000 \r\nPUB x 1' }),
    ];
    const sender = await output({ hostport: url });
    await sender.probe!(AbortSignal.timeout(5000));
    await trySend(sender, alerts);
    expect(await texts('falco.warning.shell_opened_in_container')).toEqual([alerts[0]!.json]);
    expect(await texts('falco.critical._')).toEqual([alerts[1]!.json]);
    expect(alerts[0]!.json).toContain(`"evt.time":${EXACT_TIME}`);
  });

  test('batches arrive whole and in order from one client', async () => {
    const alerts = falcoAlerts(2000);
    const sender = await output({ hostport: url, clientid: 'ordered', subjecttemplate: 'order' });
    for (let from = 0; from < alerts.length; from += 500) {
      await trySend(sender, alerts.slice(from, from + 500));
    }
    expect(await texts('order')).toEqual(alerts.map(({ json }) => json));
    expect((await plain.clients()).filter(id => id.startsWith('ordered'))).toEqual(['ordered']);
    await sender.close!();
    expect(await plain.clients()).not.toContain('ordered');
  });

  test('the id of a client that has died is taken over; that of a living one is left to it', async () => {
    const config = { hostport: url, clientid: 'shared', subjecttemplate: 'shared' };
    const logged: Logged[] = [];
    const first = await output(config);
    await trySend(first, [falcoAlert()]);
    const second = await output(config, hostOf({}, logged));
    await trySend(second, [falcoAlert()]);
    await trySend(first, [falcoAlert()]);
    expect(await texts('shared')).toHaveLength(3);
    const clients = (await plain.clients()).filter(id => id.startsWith('shared'));
    expect(clients.sort()).toEqual(['shared', expect.stringMatching(/^shared-[0-9a-f]{8}$/)]);
    expect(logged.map(({ level }) => level)).toEqual(['info']);
  });

  test('an alert over the limit of the server is refused alone', async () => {
    const small = await server({ settings: 'max_payload: 4096' });
    const sender = await output({ hostport: `127.0.0.1:${small.port}`, subjecttemplate: 'small' });
    const big = falcoAlert({ output: 'x'.repeat(5000) });
    const failure = await failureOf(trySend(sender, [falcoAlert(), big, falcoAlert()]));
    expect([...(failure as PartialError).failed]).toEqual([[1, expect.any(PermanentError)]]);
    expect(await texts('small', small)).toHaveLength(2);
  });

  test('what the server has no room for is told in its words', async () => {
    const small = await server({ args: ['-max_channels', '1'] });
    const sender = await output({ hostport: `127.0.0.1:${small.port}`, subjecttemplate: '<rule>' });
    const failure = await failureOf(
      trySend(sender, [
        falcoAlert({ rule: 'one' }),
        falcoAlert({ rule: 'two' }),
        falcoAlert({ rule: 'one' }),
      ]),
    );
    expect(failure).toBeInstanceOf(PartialError);
    expect([...(failure as PartialError).failed]).toEqual([
      [
        1,
        expect.objectContaining({
          name: 'RetriableError',
          message: expect.stringContaining('too many channels'),
        }),
      ],
    ]);
  });

  test('a server that has forgotten its clients gets a new one', async () => {
    const nats = await startNats();
    cleanup.push(() => nats.remove());
    const hostport = `nats://127.0.0.1:${nats.port}`;
    // The NATS connection outlives the streaming server behind it.
    const forgetful = await server({ natsPort: nats.port, lasting: false });
    const sender = await output({ hostport, subjecttemplate: 'forgetful' });
    await trySend(sender, [falcoAlert()]);
    await forgetful.stop('SIGKILL');
    // Until the NATS server notices it passes messages on to nobody: a try gets no answer, and gives its client up.
    await vi.waitFor(async () => expect(await nats.connections()).toBe(1), {
      timeout: 20_000,
      interval: 100,
    });
    await expect(failureOf(trySend(sender, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
      message: expect.stringContaining('no streaming server'),
    });
    await forgetful.start();
    await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toMatchObject({
      message: expect.stringContaining('does not know this client'),
    });
    const alerts = falcoAlerts(100);
    expect(await deliver(sender, alerts, 50)).toEqual([]);
    expect(await new StanReader(forgetful, 'forgetful').texts(100)).toEqual(alerts.map(({ json }) => json));
  }, 60_000);

  test('a server that is away, or has another cluster id, is told as such', async () => {
    const away = await output({ hostport: `127.0.0.1:${await freePort()}` });
    await expect(failureOf(trySend(away, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
    await expect(failureOf(away.probe!(AbortSignal.timeout(5000)))).resolves.toBeInstanceOf(RetriableError);
    const other = await output({ hostport: url, clusterid: 'other' });
    await expect(failureOf(trySend(other, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      message: expect.stringContaining('clusterid'),
    });
  });

  test('a server that never says hello keeps no connection', async () => {
    const silent = createServer();
    const port = await new Promise<number>(resolve =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
    );
    cleanup.push(() => new Promise(resolve => silent.close(resolve)));
    const connected = new Promise<Socket>(resolve => silent.once('connection', resolve));
    const sender = await output({ hostport: `tls://127.0.0.1:${port}` });
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
    const sender = await output({ hostport: url, subjecttemplate: 'closing' });
    await trySend(sender, [falcoAlert()]);
    await sender.close!();
    await sender.close!();
    await expect(failureOf(trySend(sender, [falcoAlert()]))).resolves.toBeInstanceOf(RetriableError);
  });

  test('credentials in the address, and a refusal that keeps the alert', async () => {
    const locked = await server({ args: ['--user', 'ada', '--pass', 'p@ss:word'] });
    const token = await server({ args: ['--auth', 's3cret-token'] });
    const at = ({ port }: StanServer) => `127.0.0.1:${port}`;
    await trySend(await output({ hostport: `nats://ada:p%40ss%3Aword@${at(locked)}` }), [falcoAlert()]);
    await trySend(await output({ hostport: `nats://s3cret-token@${at(token)}` }), [falcoAlert()]);
    const bad = [`nats://ada:wr0ng@${at(locked)}`, at(locked), `nats://wr0ng@${at(token)}`];
    for (const hostport of bad) {
      const failure = await failureOf(trySend(await output({ hostport }), [falcoAlert()]));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
      expect(failure.message).not.toMatch(/wr0ng|127\.0\.0\.1/);
    }
  });

  describe('over TLS', () => {
    let authority: Authority;
    let stranger: Authority;
    let secured: StanServer;
    let mutual: StanServer;

    beforeAll(async () => {
      const folder = await scratch('certificates');
      cleanup.push(() => folder.remove());
      authority = await createAuthority(folder.path, 'right');
      stranger = await createAuthority(folder.path, 'wrong');
      const { server: own, client, caFile } = authority;
      const tls = ['--tls', '--tlscert', own.certFile, '--tlskey', own.keyFile];
      // For the streaming server's own connection to the NATS server inside it.
      const inner = ['-secure', '-tls_client_cacert', caFile];
      const innerPair = ['-tls_client_cert', client.certFile, '-tls_client_key', client.keyFile];
      secured = await server({ args: [...tls, ...inner] });
      mutual = await server({ args: [...tls, '--tlsverify', '--tlscacert', caFile, ...inner, ...innerPair] });
    });

    const send = async (hostport: string, tls: Parameters<typeof hostOf>[0]) =>
      trySend(await output({ hostport }, hostOf(tls)), [falcoAlert()]);

    test('its own authority is trusted, with and without tls:// in the address', async () => {
      for (const scheme of ['tls', 'natss', 'nats']) {
        await send(`${scheme}://localhost:${secured.port}`, { ca: [authority.ca] });
      }
      await send(`tls://127.0.0.1:${secured.port}`, { ca: [authority.ca], serverName: 'localhost' });
    });

    test('another authority is refused, unless certificates are not to be checked', async () => {
      for (const ca of [undefined, [stranger.ca]]) {
        await expect(failureOf(send(`tls://localhost:${secured.port}`, { ca }))).resolves.toMatchObject({
          name: 'RetriableError',
          reason: 'network',
        });
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
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'a server that is stopped for a while in the middle of the load (%s) loses nothing',
    async signal => {
      const shaky = await server();
      const reader = new StanReader(shaky, 'outage');
      await survivesOutage({
        config: {
          stan: {
            hostport: `nats://127.0.0.1:${shaky.port}`,
            clusterid: CLUSTER,
            clientid: 'tiercel',
            subjecttemplate: 'outage',
          },
        },
        stop: () => shaky.stop(signal),
        start: () => shaky.start(),
        received: () => reader.texts(),
      });
    },
    120_000,
  );
});
