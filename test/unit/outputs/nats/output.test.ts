import type { Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import type { Output } from '../../../../src/core/contract.ts';
import type { PartialError } from '../../../../src/core/errors.ts';
import nats from '../../../../src/outputs/nats/index.ts';
import { falcoAlerts } from '../../../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../../../support/services/drive.ts';
import { type RawNats, startRawNats } from '../../../support/services/raw-nats.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

async function raw(answer?: Parameters<typeof startRawNats>[0]): Promise<RawNats> {
  const server = await startRawNats(answer);
  cleanup.push(() => server.close());
  return server;
}

async function output({ port }: RawNats, config: Record<string, unknown> = {}): Promise<Output> {
  const opened = await openOutput(nats, { hostport: `127.0.0.1:${port}`, ...config });
  cleanup.push(() => opened.close!());
  return opened;
}

/** A server that takes six alerts, and then does that to its connection. */
async function afterSix(then: (connection: Socket) => void): Promise<RawNats> {
  let published = 0;
  const server = await raw(() => {
    if (++published > 6) then(server.sockets[0]!);
    return published > 6 ? undefined : Buffer.from(JSON.stringify({ stream: 'S', seq: published }));
  });
  return server;
}

test('a server that reads no more is left with the try, however much is still to be written', async () => {
  const server = await raw();
  const sender = await output(server);
  await trySend(sender, falcoAlerts(1));
  server.sockets[0]!.pause();
  // More than the system takes for both ends of a connection.
  const large = falcoAlerts(40, { padding: 'x'.repeat(900_000) });
  await expect(failureOf(trySend(sender, large, 1_000))).resolves.toMatchObject({ reason: 'timeout' });
  const again = () =>
    trySend(sender, falcoAlerts(1), 1_000).then(
      () => 'sent',
      () => 'not sent',
    );
  await expect.poll(again, { timeout: 10_000 }).toBe('sent');
  expect(server.sockets).toHaveLength(2);
}, 20_000);

test.each([false, true])(
  'what the server has answered for before the try ended is not sent again (jetstream: %s)',
  async jetstream => {
    const server = await afterSix(socket => socket.pause());
    const sender = await output(server, { jetstream });
    const large = falcoAlerts(12, { padding: 'x'.repeat(40_000) });
    const { failed } = (await failureOf(trySend(sender, large, 1_000))) as PartialError;
    const places = [...failed.keys()];
    expect(places).not.toContain(5);
    expect(places).toEqual([...large.keys()].slice(-places.length));
    expect(failed.get(11)).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
  },
);

test.each([false, true])(
  'a batch that ends with the connection goes out again as a whole: a server that ends may lose what it has answered for (jetstream: %s)',
  async jetstream => {
    const server = await afterSix(socket => socket.destroy());
    const sender = await output(server, { jetstream });
    const large = falcoAlerts(12, { padding: 'x'.repeat(40_000) });
    const failure = await failureOf(trySend(sender, large));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
  },
);

test('a batch that JetStream does not acknowledge goes on until the server answers, or is left', async () => {
  const server = await raw();
  const sender = await output(server, { jetstream: true });
  await sender.probe!(AbortSignal.timeout(5_000));
  server.sockets[0]!.pause();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const stop = new AbortController();
  let failure: unknown;
  void sender.send(falcoAlerts(2), { signal: stop.signal, attempt: 1 }).catch(error => {
    failure = error;
  });
  await vi.advanceTimersByTimeAsync(11_000);
  expect(failure).toBeUndefined();
  stop.abort();
  await vi.waitFor(() => expect(server.sockets).toHaveLength(2));
  expect(failure).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
});

test('an answer of JetStream without a place in the stream is none: the alert is tried again', async () => {
  let asked = 0;
  const server = await raw(() => {
    const ack = asked++ === 0 ? { duplicate: true, seq: 0 } : { duplicate: true, seq: 1 };
    return Buffer.from(JSON.stringify({ stream: 'S', ...ack }));
  });
  const sender = await output(server, { jetstream: true });
  const [alert] = falcoAlerts(1);
  await expect(failureOf(trySend(sender, [alert!]))).resolves.toMatchObject({
    name: 'RetriableError',
    reason: 'server_error',
  });
  await trySend(sender, [alert!]);
});
