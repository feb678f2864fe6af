import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { mendRequestQueue } from '../../../src/outputs/kafka/request-queue.ts';
import type { Authority } from './certificates.ts';
import { cacheFolder, findProgram, freePorts, launch, type Running, scratch } from './process.ts';

const run = promisify(execFile);

/** The version that scripts/services.sh fetches. */
const VERSION = '3.9.1';
const jars = join(cacheFolder(), `kafka-${VERSION}`, 'lib', '*');
const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

/** A user of the SASL listener. */
export const USER = { username: 'ada', password: 'p@ss-w0rd!' };

/** Why there is no Kafka; undefined when there is one. */
export function missingKafka(): string | undefined {
  if (!findProgram('javac')) return 'a JDK is not installed';
  return existsSync(join(cacheFolder(), `kafka-${VERSION}`, 'complete'))
    ? undefined
    : `Kafka ${VERSION} is not there`;
}

/** One record, as Kafka's own client read it. */
export interface ReadRecord {
  topic: string;
  partition: number;
  key: string | null;
  value: string;
  /** The partitions that Java's hashes of the key stand for. */
  murmur2: number;
  crc32: number;
}

export interface KafkaBroker extends Pick<Running, 'freeze' | 'thaw'> {
  /** `host:port` of each listener. */
  plain: string;
  sasl: string;
  tls: string;
  /** Wants a client certificate. */
  mutualTls: string;
  admin: kafkajs.Admin;
  /** Reads at least that many records of each topic from its beginning, with the Java client. */
  read(counts: Record<string, number>): Promise<ReadRecord[]>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a broker that is its own controller, with a listener for each way of connecting. */
export async function startKafka(authority: Authority): Promise<KafkaBroker> {
  // The test's own clients would bring up the warning that the output avoids.
  await mendRequestQueue();
  const folder = await scratch('kafka');
  const ports = await freePorts(5);
  const [plain, sasl, tls, mutualTls] = ports.map(port => `127.0.0.1:${port}`) as [
    string,
    string,
    string,
    string,
  ];
  const properties = join(folder.path, 'server.properties');
  const keystore = join(folder.path, 'server.pem');
  await writeFile(keystore, authority.server.key + authority.server.cert);
  await writeFile(
    properties,
    toProperties({ ports, folder: folder.path, keystore, truststore: authority.caFile }),
  );
  const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => [
    '--add-scram',
    `${mechanism}=[name=${USER.username},password=${USER.password}]`,
  ]);
  const format = ['format', '-t', 'AAAAAAAAAAAAAAAAAAAAAQ', '-c', properties, ...users];
  await run(findProgram('java')!, [...java, '-cp', jars, 'kafka.tools.StorageTool', ...format]);

  const client = new kafkajs.Kafka({
    brokers: [plain],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 10 },
  });
  const admin = client.admin();
  let running: Running | undefined;
  const broker: KafkaBroker = {
    plain,
    sasl,
    tls,
    mutualTls,
    admin,
    read: counts => read(plain, counts),
    stop: async signal => running?.stop(signal),
    freeze: () => running?.freeze(),
    thaw: () => running?.thaw(),
    start: async () => {
      running = await launch({
        command: findProgram('java')!,
        args: ['-Xmx384m', ...java, '-cp', jars, 'kafka.Kafka', properties],
        ready: () => answers(plain),
        withinMs: 90_000,
      });
    },
    remove: async () => {
      await admin.disconnect();
      await running?.stop('SIGKILL');
      await folder.remove();
    },
  };
  await broker.start();
  await admin.connect();
  return broker;
}

function toProperties(options: {
  ports: number[];
  folder: string;
  keystore: string;
  truststore: string;
}): string {
  const [plain, sasl, tls, mutual, controller] = options.ports;
  const listeners = [
    `PLAIN://127.0.0.1:${plain}`,
    `SASL://127.0.0.1:${sasl}`,
    `TLS://127.0.0.1:${tls}`,
    `MUTUAL://127.0.0.1:${mutual}`,
  ].join(',');
  const scram = `org.apache.kafka.common.security.scram.ScramLoginModule required;`;
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=${listeners},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=${listeners}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
log.dirs=${join(options.folder, 'data')}
num.partitions=2
offsets.topic.replication.factor=1
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER.username}="${USER.password}";
listener.name.sasl.scram-sha-256.sasl.jaas.config=${scram}
listener.name.sasl.scram-sha-512.sasl.jaas.config=${scram}
ssl.keystore.type=PEM
ssl.keystore.location=${options.keystore}
ssl.truststore.type=PEM
ssl.truststore.location=${options.truststore}
listener.name.mutual.ssl.client.auth=required
`;
}

async function answers(broker: string): Promise<boolean> {
  const client = new kafkajs.Kafka({
    brokers: [broker],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 0 },
    connectionTimeout: 500,
  });
  const admin = client.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length === 1;
  } finally {
    await admin.disconnect();
  }
}

async function read(broker: string, counts: Record<string, number>): Promise<ReadRecord[]> {
  const program = fileURLToPath(new URL('./KafkaRead.java', import.meta.url));
  const wanted = Object.entries(counts).map(([topic, count]) => `${topic}=${count}`);
  const { stdout } = await run(findProgram('java')!, [...java, '-cp', jars, program, broker, ...wanted], {
    maxBuffer: 256 * 2 ** 20,
  });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [topic, partition, key, value, murmur2, crc32] = line.split('\t') as [
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      return {
        topic,
        partition: Number(partition),
        key: key === '-' ? null : Buffer.from(key, 'base64').toString(),
        value: Buffer.from(value, 'base64').toString(),
        murmur2: Number(murmur2),
        crc32: Number(crc32),
      };
    });
}
