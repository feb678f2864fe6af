/** Readers of what has reached a broker. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { mendRequestQueue } from '../src/outputs/kafka/request-queue.ts';

/** The topic that the Kafka scenario writes to. */
export const KAFKA_TOPIC = 'falco';

/**
 * Reads every message of a NATS server. Protocol: docs.nats.io/reference/reference-protocols/nats-protocol
 * @param server `host:port`
 */
export async function countNats(server: string, onMessage: (body: Buffer) => void): Promise<void> {
  const [host, port] = server.replace('nats://', '').split(':') as [string, string];
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  const { promise: subscribed, resolve } = Promise.withResolvers<void>();
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', chunk => {
    held = held.length > 0 ? Buffer.concat([held, chunk as Buffer]) : (chunk as Buffer);
    let at = 0;
    for (let end = held.indexOf('\r\n', at); end >= 0; end = held.indexOf('\r\n', at)) {
      const line = held.toString('latin1', at, end);
      const [verb, ...words] = line.split(' ');
      at = end + 2;
      if (verb === 'PING') socket.write('PONG\r\n');
      if (verb === 'PONG') resolve();
      if (verb !== 'MSG' && verb !== 'HMSG') continue;
      // The last word is the number of bytes, headers included.
      const size = Number(words.at(-1));
      if (held.length < at + size + 2) {
        at -= line.length + 2;
        break;
      }
      onMessage(held.subarray(at, at + size));
      at += size + 2;
    }
    held = held.subarray(at);
  });
  socket.on('error', () => {});
  socket.write('CONNECT {"verbose":false,"headers":true}\r\nSUB > 1\r\nPING\r\n');
  await subscribed;
}

/** Reads every record of the topic, from now on. @param server `host:port` of a broker */
export async function countKafka(server: string, onMessage: (body: Buffer) => void): Promise<void> {
  const [{ Kafka, logLevel }] = await Promise.all([
    import('kafkajs').then(kafkajs => kafkajs.default),
    mendRequestQueue(),
  ]);
  const client = new Kafka({ brokers: [server], logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId: 'bench', maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: KAFKA_TOPIC, fromBeginning: true });
  const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (const { value } of batch.messages) if (value) onMessage(value);
    },
  });
  await joined;
}
