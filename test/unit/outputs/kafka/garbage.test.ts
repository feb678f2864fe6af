/** Peers that are no Kafka, as raw bytes. */
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import kafka from '../../../../src/outputs/kafka/index.ts';
import { RawServer } from '../../../support/raw-server.ts';
import { falcoAlerts } from '../../../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../../../support/services/drive.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function peer(greet: (socket: Socket) => void): Promise<string> {
  const server = await RawServer.listen(greet);
  cleanups.push(() => server.close());
  return `127.0.0.1:${server.port}`;
}

const says = (bytes: Buffer) => (socket: Socket) => void socket.write(bytes);
const answers = (bytes: Buffer) => (socket: Socket) => void socket.on('data', () => socket.write(bytes));

test.each([
  ['zeros at once', says(Buffer.alloc(1000))],
  ['zeros as an answer', answers(Buffer.alloc(1000))],
  ['0xff', answers(Buffer.alloc(1000, 0xff))],
  ['a size of 3', answers(Buffer.from([0, 0, 0, 3, 0, 0, 0]))],
  ['HTTP', answers(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))],
])('%s is a network error, and soon', async (_what, greet) => {
  const output = await openOutput(kafka, { hostport: await peer(greet), topic: 'falco' });
  cleanups.push(() => output.close?.());
  for (let round = 0; round < 2; round++) {
    expect(await failureOf(trySend(output, falcoAlerts(2), 4000))).toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
  }
});
