import { createServer, type Socket } from 'node:net';
import { type Channel, type ChannelModel, connect, type Message } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import { PartialError, RetriableError } from '../../src/core/errors.ts';
import rabbitmq from '../../src/outputs/rabbitmq/index.ts';
import { goesAway, survivesOutage, WAYS } from '../support/broker-outage.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, type Logged, openOutput, trySend } from '../support/services/drive.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort, scratch } from '../support/services/process.ts';
import { missingRabbitmq, type RabbitmqServer, startRabbitmq, USER } from '../support/services/rabbitmq.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

describeWith('rabbitmq', missingRabbitmq(), () => {
  let server: RabbitmqServer;
  let authority: Authority;
  let stranger: Authority;
  let url: string;

  beforeAll(async () => {
    const folder = await scratch('certificates');
    cleanup.push(() => folder.remove());
    authority = await createAuthority(folder.path, 'right');
    stranger = await createAuthority(folder.path, 'wrong');
    server = await startRabbitmq(authority);
    cleanup.push(() => server.remove());
    url = `amqp://127.0.0.1:${server.port}/`;
  }, 90_000);

  async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
    const opened = await openOutput(rabbitmq, { url, queue: 'falco', ...config }, host);
    cleanup.push(() => opened.close!());
    return opened;
  }

  /** Runs work on a channel of the test's own. */
  async function withChannel<T>(work: (channel: Channel) => Promise<T>, vhost = ''): Promise<T> {
    const connection = await connect(
      `amqp://${USER.username}:${encodeURIComponent(USER.password)}@127.0.0.1:${server.port}/${vhost}`,
    );
    try {
      return await work(await connection.createChannel());
    } finally {
      await connection.close();
    }
  }

  const queue = (name: string, options = {}, vhost = '') =>
    withChannel(channel => channel.assertQueue(name, { durable: true, ...options }), vhost);

  /** Takes all there is out of a queue. */
  const drain = (name: string, vhost = '') =>
    withChannel(async channel => {
      const messages: Message[] = [];
      for (;;) {
        const message = await channel.get(name, { noAck: true });
        if (!message) return messages;
        messages.push(message);
      }
    }, vhost);

  const textsOf = (messages: Message[]) => messages.map(({ content }) => content.toString());

  test('each alert arrives in the queue as it is, persistent and with its id', async () => {
    await queue('falco');
    const alerts = [falcoAlert(), falcoAlert({ priority: 'critical', output: '“quoted” \u0000 \r\n' })];
    const sender = await output({});
    await sender.probe!(AbortSignal.timeout(5000));
    await trySend(sender, alerts);
    const messages = await drain('falco');
    expect(textsOf(messages)).toEqual(alerts.map(({ json }) => json));
    expect(messages[0]!.content.toString()).toContain(`"evt.time":${EXACT_TIME}`);
    expect(messages[0]!.fields).toMatchObject({ exchange: '', routingKey: 'falco' });
    expect(messages[0]!.properties).toMatchObject({
      contentType: 'text/plain',
      deliveryMode: 2,
      messageId: alerts[0]!.uuid,
    });
  });

  test('batches arrive whole and in order over one connection', async () => {
    await queue('order');
    const alerts = falcoAlerts(2000);
    const sender = await output({ queue: 'order' });
    for (let from = 0; from < alerts.length; from += 500) {
      await trySend(sender, alerts.slice(from, from + 500));
    }
    expect(textsOf(await drain('order'))).toEqual(alerts.map(({ json }) => json));
    const names = await server.control('list_connections', '-q', '--no-table-headers', 'client_properties');
    // The outputs of the tests so far are still open: one connection each.
    expect(names.match(/connection_name","tiercel"/g)).toHaveLength(2);
  });

  test('a large alert arrives whole', async () => {
    await queue('large');
    const alert = falcoAlert({ output: 'ä'.repeat(600_000) });
    await trySend(await output({ queue: 'large' }), [alert]);
    expect(textsOf(await drain('large'))).toEqual([alert.json]);
  });

  test('one that is larger than the server takes is given up alone; the others go on', async () => {
    await queue('limited');
    const setLimit = (bytes: number) =>
      server.control('eval', `application:set_env(rabbit, max_message_size, ${bytes}).`);
    const alerts = falcoAlerts(9);
    const large = [falcoAlert({ output: 'x'.repeat(30_000) }), falcoAlert({ output: 'y'.repeat(25_000) })];
    await setLimit(20_000);
    try {
      const sender = await output({ queue: 'limited' });
      const batch = [...alerts.slice(0, 5), large[0]!, ...alerts.slice(5), large[1]!];
      const { failed } = (await failureOf(trySend(sender, batch))) as PartialError;
      expect(failed.get(5)).toMatchObject({
        name: 'PermanentError',
        reason: 'payload',
        message: expect.stringContaining('20000'),
      });
      expect(failed.get(6)).toMatchObject({ name: 'RetriableError' });
      expect(await deliver(sender, batch, 20)).toEqual(large);
      await expect(failureOf(trySend(sender, [large[0]!]))).resolves.toMatchObject({
        name: 'PermanentError',
      });
    } finally {
      await setLimit(134_217_728);
    }
    const arrived = new Set(textsOf(await drain('limited')));
    expect(arrived).toEqual(new Set(alerts.map(({ json }) => json)));
  });

  test('alerts wait for a queue that is not there', async () => {
    const sender = await output({ queue: 'later' });
    const failure = await failureOf(trySend(sender, falcoAlerts(2)));
    expect(failure).toMatchObject({
      name: 'RetriableError',
      reason: 'client_error',
      message: expect.stringContaining('no queue'),
    });
    await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toMatchObject({
      reason: 'client_error',
    });
    await queue('later');
    await trySend(sender, [falcoAlert()]);
    expect(await drain('later')).toHaveLength(1);
  });

  test('what a full queue does not take is told, one by one', async () => {
    await queue('full', { arguments: { 'x-max-length': 3, 'x-overflow': 'reject-publish' } });
    const failure = await failureOf(trySend(await output({ queue: 'full' }), falcoAlerts(10)));
    expect(failure).toBeInstanceOf(PartialError);
    const { failed } = failure as PartialError;
    const stored = (await drain('full')).length;
    expect(stored).toBeGreaterThan(0);
    expect(failed.size).toBe(10 - stored);
    expect([...failed.values()].every(error => error instanceof RetriableError)).toBe(true);
  });

  test('a server that is low on memory takes nothing twice, and nothing is lost', async () => {
    await queue('alarm');
    const logged: Logged[] = [];
    const sender = await output({ queue: 'alarm' }, hostOf({}, logged));
    const alerts = falcoAlerts(500);
    let next = 0;
    await trySend(sender, [alerts[next++]!]);
    await server.control('set_vm_memory_high_watermark', 'absolute', '1MB');
    try {
      // The server looks at its memory every second or so.
      await expect
        .poll(async () => (await trySend(sender, [alerts[next++]!], 1500).catch(error => error))?.reason, {
          timeout: 30_000,
        })
        .toBe('timeout');
      await expect(failureOf(trySend(sender, [alerts[next - 1]!], 200))).resolves.toMatchObject({
        reason: 'timeout',
      });
      await expect(failureOf(trySend(sender, [alerts[next]!]))).resolves.toMatchObject({
        reason: 'server_error',
        message: expect.stringContaining('low on memory'),
      });
      await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toBeInstanceOf(
        RetriableError,
      );
    } finally {
      await server.control('set_vm_memory_high_watermark', '0.6');
    }
    await deliver(sender, alerts.slice(next - 1), 100);
    expect(textsOf(await drain('alarm'))).toEqual(alerts.map(({ json }) => json));
    expect(logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('every way to sign in, and refusals that keep the alert', async () => {
    await queue('auth');
    await queue('auth', {}, 'a%2Fb');
    const login = `${USER.username}:${encodeURIComponent(USER.password)}`;
    const at = `127.0.0.1:${server.port}`;
    const good = [
      `amqp://${at}`,
      `amqp://${login}@${at}/`,
      `amqp://${login}@${at}/%2F?heartbeat=30&auth_mechanism=AMQPLAIN`,
      `amqp://${login}@${at}/a%2Fb`,
    ];
    for (const address of good) await trySend(await output({ url: address, queue: 'auth' }), [falcoAlert()]);
    expect(await drain('auth')).toHaveLength(3);
    expect(await drain('auth', 'a%2Fb')).toHaveLength(1);
    const bad = [
      `amqp://${USER.username}:wr0ng-password@${at}/`,
      `amqp://nobody:wr0ng-password@${at}/`,
      `amqp://${login}@${at}/wr0ng-vhost`,
      `amqp://${login}@${at}/?auth_mechanism=external`,
      `amqp://reader:reader@${at}/`,
    ];
    for (const address of bad) {
      const failure = await failureOf(trySend(await output({ url: address, queue: 'auth' }), [falcoAlert()]));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
      expect(failure.message).not.toMatch(/wr0ng|127\.0\.0\.1|ada|nobody/);
    }
  });

  test('a server that is away is told as such, and found when it comes', async () => {
    const sender = await output({ url: `amqp://127.0.0.1:${await freePort()}/` });
    const failure = await failureOf(trySend(sender, [falcoAlert()]));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
    await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toBeInstanceOf(RetriableError);
  });

  test.each(['amqp', 'amqps'])('a server that never answers keeps no connection (%s)', async scheme => {
    const silent = createServer();
    const port = await new Promise<number>(resolve =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
    );
    cleanup.push(() => new Promise(resolve => silent.close(resolve)));
    const connected = new Promise<Socket>(resolve => silent.once('connection', resolve));
    const sender = await output({ url: `${scheme}://127.0.0.1:${port}/` });
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

  test('close is safe twice and leaves no connection', async () => {
    await queue('closing');
    const sender = await output({ queue: 'closing' });
    await trySend(sender, [falcoAlert()]);
    await sender.close!();
    await sender.close!();
    await expect(failureOf(trySend(sender, [falcoAlert()]))).resolves.toBeInstanceOf(RetriableError);
    expect(await drain('closing')).toHaveLength(1);
  });

  describe('over TLS', () => {
    const send = async (tls: Parameters<typeof hostOf>[0], change = {}) => {
      await queue('tls');
      const address = `amqps://localhost:${server.tlsPort}/`;
      return trySend(await output({ url: address, queue: 'tls', ...change }, hostOf(tls)), [falcoAlert()]);
    };

    test('its own authority is trusted', async () => {
      await send({ ca: [authority.ca] });
      await send(
        { ca: [authority.ca], serverName: 'localhost' },
        { url: `amqps://127.0.0.1:${server.tlsPort}` },
      );
      expect(await drain('tls')).toHaveLength(2);
    });

    test('another authority is refused, unless certificates are not to be checked', async () => {
      for (const ca of [undefined, [stranger.ca]]) {
        const failure = await failureOf(send({ ca }));
        expect(failure).toMatchObject({
          name: 'RetriableError',
          reason: 'network',
          message: expect.stringContaining('certificate is not trusted'),
        });
      }
      await send({ verify: false });
    });

    test('a client certificate signs in', async () => {
      const external = { url: `amqps://localhost:${server.tlsPort}/?auth_mechanism=external` };
      const { cert, key } = authority.client;
      await send({ ca: [authority.ca], cert, key }, external);
      await expect(failureOf(send({ ca: [authority.ca] }, external))).resolves.toMatchObject({
        reason: 'auth',
      });
      const { cert: otherCert, key: otherKey } = stranger.client;
      await expect(
        failureOf(send({ ca: [authority.ca], cert: otherCert, key: otherKey })),
      ).resolves.toBeInstanceOf(RetriableError);
    });
  });

  test.each(WAYS)(
    'a server that %s in the middle of 5,000 alerts loses none',
    async way => {
      const name = `outage-${way.replace(' ', '-')}`;
      await queue(name);
      const received: string[] = [];
      const reader = await connect(url, {
        recovery: {
          initialDelay: 100,
          maxDelay: 500,
          setup: async (model: ChannelModel) => {
            const channel = await model.createChannel();
            channel.on('error', () => undefined);
            await channel.consume(name, message => {
              if (!message) return;
              if (!message.fields.redelivered) received.push(message.content.toString());
              channel.ack(message);
            });
          },
        },
      });
      reader.on('error', () => undefined);
      cleanup.push(() => reader.close());
      await survivesOutage({
        config: { rabbitmq: { url, queue: name } },
        ...goesAway(way, server),
        received: async () => received,
      });
    },
    120_000,
  );
});
