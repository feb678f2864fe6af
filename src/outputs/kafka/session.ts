/** One use of kafkajs, from connecting to hanging up: what fails is thrown away whole and begun anew. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type * as Kafkajs from 'kafkajs';
import type { Host } from '../../core/contract.ts';
import { useCompression } from './codecs.ts';
import { connectHost, type KafkaConfig, parseBroker, toBrokerText } from './config.ts';
import { isUnknownTopic } from './failures.ts';
import { Producer } from './producer.ts';

const CONNECT_MS = 5000;
const ANSWER_MS = 20_000;
const KEEP_ALIVE_MS = 60_000;
const LINGER_MS = 2000;

const ACKS = { NONE: 0, ONE: 1, ALL: -1 } as const;

export interface Session extends Pick<Producer, 'partitions' | 'produce'> {
  /** Whether it is of no more use. */
  isBroken(): boolean;
  /** Asks for the topic; fails when it is not there. */
  check(): Promise<void>;
  /** Hangs up when all is answered. */
  close(): Promise<void>;
  /** Hangs up now; what is under way fails. */
  abandon(): void;
}

export interface SessionOptions {
  kafkajs: typeof Kafkajs.default;
  config: KafkaConfig;
  /** Absent: no TLS. */
  tls?: ConnectionOptions;
  host: Pick<Host, 'log'>;
}

/** Connects, signs in and sees to it that the topic is there. Takes as long as kafkajs does; fails with its errors. */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const { kafkajs, config, host } = options;
  const sockets = new Set<Socket>();
  let abandoned = false;
  const compression = await useCompression(kafkajs, config.compression);
  const kafka = new kafkajs.Kafka({
    brokers: config.hostport.map(hostport => toBrokerText(parseBroker(hostport))),
    clientId: config.clientid || 'tiercel',
    connectionTimeout: CONNECT_MS,
    requestTimeout: ANSWER_MS,
    sasl: toSasl(config),
    // TLS is the socket's business, kafkajs need not know.
    socketFactory: ({ host, port, onConnect }) => {
      const socket = dial(connectHost(host), port, options.tls, onConnect);
      sockets.add(socket.once('close', () => sockets.delete(socket)));
      // kafkajs goes on to the next broker of its list when one fails, also when nobody waits any more.
      if (abandoned) socket.destroy(givenUp());
      return socket;
    },
    // Enough to try each broker of the list once; the core retries the rest.
    retry: { retries: Math.max(2, config.hostport.length - 1), initialRetryTime: 50, maxRetryTime: 500 },
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => entry => host.log.debug({ client: entry.namespace, ...entry.log }, entry.log.message),
  });
  const acks = ACKS[config.requiredacks];
  const producer = new Producer(kafka, { topic: config.topic, acks, compression });
  const abandon = () => {
    abandoned = true;
    for (const socket of sockets) socket.destroy(givenUp());
    void producer.disconnect().catch(() => undefined);
  };
  signal.addEventListener('abort', abandon, { once: true });
  try {
    await producer.connect();
    if (config.topiccreation) await createTopic(kafka, config.topic);
    signal.throwIfAborted();
  } catch (error) {
    abandon();
    throw error;
  } finally {
    signal.removeEventListener('abort', abandon);
  }
  return {
    abandon,
    isBroken: () => producer.broken,
    partitions: () => producer.partitions(),
    produce: (records, signal) => producer.produce(records, signal),
    check: () =>
      withAdmin(kafka, async admin => void (await admin.fetchTopicMetadata({ topics: [config.topic] }))),
    async close() {
      await producer.disconnect().catch(() => undefined);
      // What is still being written to a socket may go; a broker that does not take it is left.
      setTimeout(abandon, LINGER_MS).unref();
    },
  };
}

function givenUp(): Error {
  return new Error('the connection was given up');
}

function dial(host: string, port: number, tls: ConnectionOptions | undefined, onConnect: () => void): Socket {
  const socket = tls
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...tls }, onConnect)
    : connectTcp({ host, port }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
}

function toSasl({ sasl, username, password }: KafkaConfig): Kafkajs.SASLOptions | undefined {
  switch (sasl) {
    case '':
      return undefined;
    case 'PLAIN':
      return { mechanism: 'plain', username, password };
    case 'SCRAM_SHA256':
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username, password };
    case 'SCRAM_SHA512':
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username, password };
  }
}

/**
 * Creates the topic with the cluster's defaults and waits until it has a leader. A broker creates topics by itself when
 * asked about them, but then the first records are refused; and an existing topic needs no right to create.
 */
function createTopic(kafka: Kafkajs.Kafka, topic: string): Promise<void> {
  return withAdmin(kafka, async admin => {
    try {
      await admin.fetchTopicMetadata({ topics: [topic] });
    } catch (error) {
      if (!isUnknownTopic(error)) throw error;
      await admin.createTopics({ topics: [{ topic }], waitForLeaders: true, timeout: CONNECT_MS });
    }
  });
}

async function withAdmin(kafka: Kafkajs.Kafka, work: (admin: Kafkajs.Admin) => Promise<void>): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
