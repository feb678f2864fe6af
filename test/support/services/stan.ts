import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { decode, encode, type MessageType } from '../../../src/outputs/_kit/protobuf.ts';
import { ConnectRequest, ConnectResponse } from '../../../src/outputs/stan/protocol.ts';
import { cacheFolder, freePorts, restartable, scratch } from './process.ts';

/** The version that scripts/services.sh builds. */
const VERSION = '0.25.6';
const program = join(cacheFolder(), `nats-streaming-${VERSION}`, 'nats-streaming-server');

export const CLUSTER = 'test-cluster';

/** Why there is no NATS Streaming server; undefined when there is one. */
export function missingStan(): string | undefined {
  return existsSync(program) ? undefined : `nats-streaming-server ${VERSION} is not there`;
}

export interface StanServer {
  port: number;
  /** Ids of the clients that the server knows. */
  clients(): Promise<string[]>;
  /** How many messages a channel has. */
  count(channel: string): Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

interface StartOptions {
  /** More arguments, for example for TLS. */
  args?: string[];
  /** Text of a configuration file. */
  settings?: string;
  /** Port of a NATS server to be a client of; absent: it has one inside. Counting is not to be had then. */
  natsPort?: number;
  /** Messages and clients outlive a restart; true when absent. */
  lasting?: boolean;
}

/** Starts a streaming server. */
export async function startStan(options: StartOptions = {}): Promise<StanServer> {
  const { args = [], settings = '', natsPort, lasting = true } = options;
  const folder = await scratch('stan');
  const [ownPort, monitor] = (await freePorts(2)) as [number, number];
  const port = natsPort ?? ownPort;
  const file = join(folder.path, 'nats.conf');
  await writeFile(file, settings);
  const store = lasting ? ['-store', 'FILE', '-dir', join(folder.path, 'store')] : ['-store', 'MEMORY'];
  const ask = async <T>(path: string) => {
    const response = await fetch(`http://127.0.0.1:${monitor}/streaming/${path}`);
    return (response.ok ? await response.json() : {}) as T;
  };
  const address = natsPort
    ? ['-nats_server', `nats://127.0.0.1:${natsPort}`]
    : ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitor), '-c', file];
  const server = await restartable(
    {
      command: program,
      args: [...address, '-cid', CLUSTER, ...store, ...args],
      ready: async () => (natsPort ? answers(natsPort) : 'server_id' in (await ask<object>('serverz'))),
      withinMs: 15_000,
    },
    folder,
  );
  return {
    ...server,
    port,
    clients: async () =>
      (await ask<{ clients?: { id: string }[] }>('clientsz')).clients?.map(({ id }) => id) ?? [],
    count: async channel =>
      (await ask<{ last_seq?: number }>(`channelsz?channel=${encodeURIComponent(channel)}`)).last_seq ?? 0,
  };
}

/** Whether the streaming server behind a NATS server takes requests, be it only to refuse them. */
async function answers(natsPort: number): Promise<boolean> {
  const connection = await connect({ servers: `127.0.0.1:${natsPort}` });
  try {
    await connection.request(`_STAN.discover.${CLUSTER}`, '', { timeout: 1000 });
    return true;
  } finally {
    await connection.close();
  }
}

// Fields that only a subscriber needs; see src/outputs/stan/protocol.ts.
const SubscriptionRequest = {
  clientID: { number: 1, type: 'string' },
  subject: { number: 2, type: 'string' },
  inbox: { number: 4, type: 'string' },
  maxInFlight: { number: 5, type: 'uint' },
  ackWaitInSecs: { number: 6, type: 'uint' },
  startPosition: { number: 10, type: 'uint' },
  startSequence: { number: 11, type: 'uint' },
} as const satisfies MessageType;
const SubscriptionResponse = { error: { number: 3, type: 'string' } } as const satisfies MessageType;
const MsgProto = {
  sequence: { number: 1, type: 'uint' },
  data: { number: 4, type: 'bytes' },
} as const satisfies MessageType;
const AT_SEQUENCE = 3;

/** Reads a channel; what was read once is kept. */
export class StanReader {
  readonly #server: StanServer;
  readonly #channel: string;
  readonly #texts: string[] = [];

  constructor(server: StanServer, channel: string) {
    this.#server = server;
    this.#channel = channel;
  }

  /** The first texts of the channel; all that are there unless said how many. */
  async texts(count?: number): Promise<readonly string[]> {
    const last = count ?? (await this.#server.count(this.#channel).catch(() => 0));
    if (last > this.#texts.length) await this.#readTo(last);
    return this.#texts;
  }

  async #readTo(last: number): Promise<void> {
    const connection = await connect({ servers: `127.0.0.1:${this.#server.port}` });
    try {
      const inbox = `_INBOX.${randomBytes(8).toString('hex')}`;
      const messages = connection.subscribe(inbox);
      await subscribe(connection, {
        subject: this.#channel,
        inbox,
        maxInFlight: 100_000,
        ackWaitInSecs: 30,
        startPosition: AT_SEQUENCE,
        startSequence: this.#texts.length + 1,
      });
      for await (const { data } of messages) {
        const message = decode(MsgProto, Buffer.from(data));
        this.#texts.push(String(message.data));
        if (Number(message.sequence) >= last) break;
      }
    } finally {
      await connection.close();
    }
  }
}

async function subscribe(
  connection: NatsConnection,
  request: Record<string, string | number>,
): Promise<void> {
  const clientID = `reader-${randomBytes(4).toString('hex')}`;
  const hello = encode(ConnectRequest, { clientID, heartbeatInbox: `_INBOX.${clientID}` });
  const answer = await connection.request(`_STAN.discover.${CLUSTER}`, hello, { timeout: 5000 });
  const { subRequests, error } = decode(ConnectResponse, Buffer.from(answer.data));
  if (error) throw new Error(String(error));
  const wish = encode(SubscriptionRequest, { clientID, ...request });
  const response = await connection.request(String(subRequests), wish, { timeout: 5000 });
  const refusal = decode(SubscriptionResponse, Buffer.from(response.data)).error;
  if (refusal) throw new Error(String(refusal));
}
