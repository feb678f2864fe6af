/** A broker that breaks the protocol, as raw bytes. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import mqtt from '../../../../src/outputs/mqtt/index.ts';
import { failureOf, openOutput, trySend } from '../../../support/services/drive.ts';
import { numberedTo } from '../../../support/spool.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Answers the first packet of each connection; where it listens. */
async function broker(answer: Buffer): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('one that takes no alert at a time fails the send, and does not hold the process up', async () => {
  // CONNACK of MQTT 5, all well, with one property: Receive Maximum (0x21) 0.
  const port = await broker(Buffer.from([0x20, 6, 0, 0, 3, 0x21, 0, 0]));
  const output = await openOutput(mqtt, { broker: `tcp://127.0.0.1:${port}`, version: '5', qos: 1 });
  cleanups.push(() => output.close?.());
  expect(await failureOf(trySend(output, numberedTo(3)))).toMatchObject({
    name: 'RetriableError',
    reason: 'server_error',
    message: expect.stringContaining('protocol'),
  });
});
