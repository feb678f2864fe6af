/** A broker that breaks the protocol, as raw bytes. */
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { PartialError } from '../../../../src/core/errors.ts';
import mqtt from '../../../../src/outputs/mqtt/index.ts';
import { RawServer } from '../../../support/raw-server.ts';
import { falcoAlert } from '../../../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../../../support/services/drive.ts';
import { numberedTo } from '../../../support/spool.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const [PUBLISH, PUBACK, DISCONNECT] = [0x30, 0x40, 0xe0];
const PACKET_TOO_LARGE = 0x95;

/** The packets that are whole: MQTT 5, 2.1. */
function* packetsOf(bytes: Buffer): Generator<{ type: number; body: Buffer; end: number }> {
  for (let at = 0; at < bytes.length; ) {
    let [length, from] = [0, at + 1];
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[from++];
      if (byte === undefined) return;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (from + length > bytes.length) return;
    yield { type: bytes[at]! & 0xf0, body: bytes.subarray(from, from + length), end: from + length };
    at = from + length;
  }
}

/** Takes QoS 1, names no largest packet, and hangs up on one that is over the limit; what it has taken. */
function pickyBroker(limit: number): { port: Promise<number>; taken: string[] } {
  const taken: string[] = [];
  const port = listen(socket => {
    let unread = Buffer.alloc(0);
    socket.once('data', () => {
      // CONNACK of MQTT 5, all well, without properties.
      socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
      socket.on('data', data => {
        unread = Buffer.concat([unread, data]);
        let read = 0;
        for (const { type, body, end } of packetsOf(unread)) {
          read = end;
          if (type !== PUBLISH) continue;
          if (body.length > limit) {
            socket.removeAllListeners('data').end(Buffer.from([DISCONNECT, 2, PACKET_TOO_LARGE, 0]));
            return;
          }
          const id = 2 + body.readUInt16BE(0);
          taken.push(body.subarray(id + 3).toString());
          socket.write(Buffer.from([PUBACK, 2, body[id]!, body[id + 1]!]));
        }
        unread = unread.subarray(read);
      });
    });
  });
  return { port, taken };
}

/** Answers the first packet of each connection; where it listens. */
function broker(answer: Buffer): Promise<number> {
  return listen(socket => void socket.once('data', () => socket.write(answer)));
}

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = await RawServer.listen(serve);
  cleanups.push(() => server.close());
  return server.port;
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

test('one that hangs up on an alert that is too large: the core is left to find which, the others arrive', async () => {
  const { port, taken } = pickyBroker(5000);
  const output = await openOutput(mqtt, { broker: `tcp://127.0.0.1:${await port}`, version: '5', qos: 1 });
  cleanups.push(() => output.close?.());
  const [large, ...small] = [falcoAlert({ output: 'x'.repeat(10_000) }), ...numberedTo(9)];
  const { failed } = (await failureOf(trySend(output, [large, ...small]))) as PartialError;
  // One error for all of them: each is sent alone before any is given up.
  expect(failed.size).toBe(10);
  expect(new Set(failed.values()).size).toBe(1);
  expect(await failureOf(trySend(output, [large]))).toMatchObject({
    name: 'PermanentError',
    reason: 'payload',
  });
  for (const alert of small) await trySend(output, [alert]);
  expect(taken).toEqual(small.map(({ json }) => json));
});
