import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Alert, Output } from '../../src/core/contract.ts';
import { PartialError, RetriableError } from '../../src/core/errors.ts';
import redis from '../../src/outputs/redis/index.ts';
import { goesAway, survivesOutage, WAYS } from '../support/broker-outage.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort, scratch } from '../support/services/process.ts';
import { missingRedis, type RedisServer, startRedis } from '../support/services/redis.ts';

const cleanup: (() => unknown)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(options?: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
  const started = await startRedis(options);
  cleanup.push(() => started.remove());
  return started;
}

async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
  const opened = await openOutput(redis, config, host);
  cleanup.push(() => opened.close!());
  return opened;
}

const at = (port: number) => `127.0.0.1:${port}`;

async function listed({ cli }: RedisServer, key = 'falco', database = 0): Promise<string[]> {
  const answer = await cli('-n', String(database), '--json', 'LRANGE', key, '0', '-1');
  return JSON.parse(answer) as string[];
}

describeWith('redis', missingRedis(), () => {
  let plain: RedisServer;
  let address: string;

  beforeAll(async () => {
    plain = await server();
    address = at(plain.port);
  });

  beforeEach(async () => {
    await plain.cli('FLUSHALL');
    await plain.cli('CONFIG', 'SET', 'maxmemory', '0');
  });

  test('alerts go to the end of a list as they are, in order, over one connection', async () => {
    const alerts = [falcoAlert({ output: '“quoted” \u0000 \r\n$5 \\' }), ...falcoAlerts(1500)];
    const sender = await output({ address });
    for (let start = 0; start < alerts.length; start += 500)
      await trySend(sender, alerts.slice(start, start + 500));
    expect(await listed(plain)).toEqual(alerts.map(({ json }) => json));
    expect((await listed(plain))[0]).toContain(`"evt.time":${EXACT_TIME}`);
    const clients = (await plain.cli('CLIENT', 'LIST')).split('\n').filter(line => !/cmd=client/.test(line));
    expect(clients).toHaveLength(1);
  });

  test('a hash has each alert once, however often it is sent', async () => {
    const sender = await output({ address, storagetype: 'HashMap', key: 'events' });
    const alerts = falcoAlerts(3);
    await trySend(sender, alerts);
    await trySend(sender, alerts);
    expect(JSON.parse(await plain.cli('--json', 'HGETALL', 'events'))).toEqual(
      Object.fromEntries(alerts.map(({ uuid, json }) => [uuid, json])),
    );
  });

  test('an unknown storage type is a list, as in falcosidekick; the database is chosen by number', async () => {
    const alert = falcoAlert();
    await trySend(await output({ address, storagetype: 'set', key: 'k:falco', database: 3 }), [alert]);
    expect(await listed(plain, 'k:falco', 3)).toEqual([alert.json]);
    const missing = await output({ address, database: 99 });
    const failure = await failureOf(trySend(missing, [alert]));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'client_error' });
    expect(failure.message).toContain('database');
  });

  test('of a batch, what the server has taken is not sent again', async () => {
    const sender = await output({ address });
    const alerts = [falcoAlert(), falcoAlert({ output: 'x'.repeat(4_000_000) }), ...falcoAlerts(3)];
    const used = Number(/used_memory:(\d+)/.exec(await plain.cli('INFO', 'memory'))![1]);
    await plain.cli('CONFIG', 'SET', 'maxmemory', String(used + 2_000_000));
    const failure = (await failureOf(trySend(sender, alerts))) as PartialError | RetriableError;
    const failed =
      failure instanceof PartialError ? [...failure.failed.keys()] : alerts.map((_, index) => index);
    expect(failed.length).toBeGreaterThan(0);
    expect(await plain.cli('LLEN', 'falco')).toBe(String(alerts.length - failed.length));
    const some = failure instanceof PartialError ? [...failure.failed.values()] : [failure];
    for (const one of some) expect(one).toMatchObject({ name: 'RetriableError', reason: 'server_error' });
    await plain.cli('CONFIG', 'SET', 'maxmemory', '0');
    expect(
      await deliver(
        sender,
        failed.map(index => alerts[index]!),
        10,
      ),
    ).toEqual([]);
    expect((await listed(plain)).sort()).toEqual(alerts.map(({ json }) => json).sort());
  });

  test('a key of another type is said so and loses nothing', async () => {
    await plain.cli('SET', 'falco', 'a text');
    const sender = await output({ address });
    const failure = await failureOf(trySend(sender, falcoAlerts(2)));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'client_error' });
    expect(failure.message).toContain('another type');
    await plain.cli('DEL', 'falco');
    await trySend(sender, falcoAlerts(2));
    expect(await plain.cli('LLEN', 'falco')).toBe('2');
  });

  test('a server that is absent at the start, and away for a while, gets every alert', async () => {
    const moody = await server();
    await moody.stop();
    const sender = await output({ address: at(moody.port) });
    const early = await failureOf(trySend(sender, [falcoAlert()]));
    expect(early).toMatchObject({ name: 'RetriableError', reason: 'network' });
    await moody.start();
    const alerts = falcoAlerts(300);
    await trySend(sender, alerts.slice(0, 100));
    await moody.stop();
    const delivering = deliver(sender, alerts.slice(100), 50);
    await moody.start();
    expect(await delivering).toEqual([]);
    expect(new Set(await listed(moody))).toEqual(new Set(alerts.map(({ json }) => json)));
  });

  test('a server that says nothing costs one try, also in the middle of signing in', async () => {
    const silent = createServer(socket => cleanup.push(() => socket.destroy()));
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => silent.close());
    for (const login of [{}, { password: 'pw' }]) {
      const sender = await output({ address: at((silent.address() as AddressInfo).port), ...login });
      const failure = await failureOf(trySend(sender, [falcoAlert()], 300));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
      await sender.close!();
    }
  });

  test('a server that speaks another language is no end of the output', async () => {
    const other = createServer(socket => {
      socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => other.close());
    const sender = await output({ address: at((other.address() as AddressInfo).port) });
    for (let round = 0; round < 3; round++) {
      expect(await failureOf(trySend(sender, [falcoAlert()], 2000))).toBeInstanceOf(RetriableError);
    }
  });

  test('passwords and users are told to the server; wrong ones are named as such and not shown', async () => {
    const locked = await server({ password: 'pass word:1' });
    await locked.cli('ACL', 'SETUSER', 'ada', 'on', '>ada-pw', '~falco', '+rpush', '+type', '+select');
    const good = [
      { password: 'pass word:1' },
      { username: 'default', password: 'pass word:1' },
      { username: 'ada', password: 'ada-pw' },
    ];
    for (const login of good) {
      const sender = await output({ address: at(locked.port), ...login });
      await sender.probe!(AbortSignal.timeout(5000));
      await trySend(sender, [falcoAlert()]);
    }
    expect(await locked.cli('LLEN', 'falco')).toBe('3');
    const bad = [
      {},
      { password: 'wr0ng-password' },
      { username: 'ada', password: 'wr0ng-password' },
      { username: 'ada', password: 'ada-pw', key: 'other' },
      { username: 'ada', password: 'ada-pw', storagetype: 'hashmap' },
    ];
    for (const login of bad) {
      const failure = await failureOf(
        trySend(await output({ address: at(locked.port), ...login }), [falcoAlert()]),
      );
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
      expect(failure.message).not.toMatch(/wr0ng|ada|127\.0\.0\.1/);
    }
    const open = await failureOf(
      trySend(await output({ address, username: 'eve', password: 'wr0ng' }), [falcoAlert()]),
    );
    expect(open).toMatchObject({ name: 'RetriableError', reason: 'auth' });
  });

  test('close is safe twice and while the server is away', async () => {
    const lonely = await output({ address: at(await freePort()) });
    await failureOf(trySend(lonely, [falcoAlert()]));
    const sender = await output({ address });
    await trySend(sender, [falcoAlert()]);
    for (const one of [lonely, sender]) {
      await one.close!();
      await one.close!();
    }
  });

  describe('over TLS', () => {
    let authority: Authority;
    let stranger: Authority;
    let mutual: RedisServer;
    let secured: RedisServer;

    beforeAll(async () => {
      const folder = await scratch('certificates');
      cleanup.push(() => folder.remove());
      authority = await createAuthority(folder.path, 'right');
      stranger = await createAuthority(folder.path, 'wrong');
      mutual = await server({ authority });
      secured = await server({ authority, extra: ['--tls-auth-clients', 'no'] });
    });

    const send = async (
      host: string,
      port: number,
      tls: Parameters<typeof hostOf>[0],
      alerts: Alert[] = [falcoAlert()],
    ) => trySend(await output({ address: `${host}:${port}`, tls: true }, hostOf(tls)), alerts);

    test('its own authority is trusted, another one is not, unless nothing is checked', async () => {
      await send('localhost', secured.tlsPort, { ca: [authority.ca] });
      await send('127.0.0.1', secured.tlsPort, { ca: [authority.ca] });
      await send('127.0.0.1', secured.tlsPort, { verify: false });
      expect(await secured.cli('LLEN', 'falco')).toBe('3');
      for (const ca of [undefined, [stranger.ca]]) {
        const failure = await failureOf(send('localhost', secured.tlsPort, { ca }));
        expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
        expect(failure.message).toContain('certificate');
      }
      const name = await failureOf(
        send('localhost', secured.tlsPort, { ca: [authority.ca], serverName: 'other' }),
      );
      expect(name.message).toContain('another name');
    });

    test('a client certificate is shown where one is wanted', async () => {
      const { cert, key } = authority.client;
      await send('localhost', mutual.tlsPort, { ca: [authority.ca], cert, key });
      expect(await mutual.cli('LLEN', 'falco')).toBe('1');
      const failure = await failureOf(send('localhost', mutual.tlsPort, { ca: [authority.ca] }));
      expect(failure).toBeInstanceOf(RetriableError);
    });
  });

  test.each(WAYS)(
    'a server that %s in the middle of 5,000 alerts loses none',
    async way => {
      const broker = await server();
      await survivesOutage({
        config: { redis: { address: at(broker.port) } },
        ...goesAway(way, broker),
        received: () => listed(broker),
      });
    },
    120_000,
  );
});
