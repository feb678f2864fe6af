/** A NATS cluster with JetStream: three servers on this machine that know each other. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { loseEnd, STORE } from './nats.ts';
import { findProgram, freePorts, launch, listens, type Running, scratch } from './process.ts';

export interface ClusterNode extends Pick<Running, 'freeze' | 'thaw'> {
  name: string;
  port: number;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Starts it again with its data. */
  start(): Promise<void>;
  /** Leaves a stream no more than its first messages there. Only while the node is stopped. */
  loseEnd(stream: string, left: number): Promise<void>;
}

export interface NatsCluster {
  nodes: readonly ClusterNode[];
  /** Addresses of all nodes. */
  servers: string[];
  /** The node that leads a stream. */
  leaderOf(stream: string): Promise<ClusterNode>;
  /**
   * Moves the lead of a stream's consumer to a node that leads neither the stream nor the cluster.
   * @returns that node, and the one that leads the stream
   */
  leadConsumerAlone(stream: string, consumer: string): Promise<{ alone: ClusterNode; other: ClusterNode }>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

const SIZE = 3;

/** Starts a cluster and waits until JetStream has a leader. */
export async function startNatsCluster(): Promise<NatsCluster> {
  const folder = await scratch('nats-cluster');
  const ports = await freePorts(3 * SIZE);
  const [clients, routes, monitors] = [
    ports.slice(0, SIZE),
    ports.slice(SIZE, 2 * SIZE),
    ports.slice(2 * SIZE),
  ];
  const nodes = await Promise.all(
    clients.map(async (port, index) => {
      const name = `n${index}`;
      const file = join(folder.path, `${name}.conf`);
      const settings = [
        `server_name: ${name}`,
        `listen: "127.0.0.1:${port}"`,
        `http: "127.0.0.1:${monitors[index]}"`,
        `jetstream { store_dir: "${join(folder.path, name)}", max_file_store: ${STORE} }`,
        `cluster { name: test, listen: "127.0.0.1:${routes[index]}", routes: [ ${routes
          .map(route => `"nats://127.0.0.1:${route}"`)
          .join(', ')} ] }`,
      ];
      await writeFile(file, settings.join('\n'));
      return new Node(name, port, monitors[index]!, file, join(folder.path, name));
    }),
  );
  await Promise.all(nodes.map(node => node.start()));
  await found(async () => (await nodes[0]!.ask()).meta_cluster?.leader);
  return {
    nodes,
    servers: clients.map(port => `nats://127.0.0.1:${port}`),
    leaderOf: stream =>
      found(async () => {
        for (const node of nodes.filter(({ isRunning }) => isRunning)) {
          const { account_details: accounts = [] } = await node.ask();
          const detail = accounts
            .flatMap(account => account.stream_detail)
            .find(({ name }) => name === stream);
          const leader = nodes.find(({ name }) => name === detail?.cluster?.leader);
          if (leader) return leader;
        }
        return undefined;
      }),
    leadConsumerAlone: async (stream, consumer) => {
      const connection = await connect({ servers: clients.map(port => `127.0.0.1:${port}`) });
      try {
        const manager = await jetstreamManager(connection);
        const nodeOf = (name?: string) => nodes.find(node => node.name === name);
        return await found(async () => {
          const { cluster: ofStream } = await manager.streams.info(stream);
          const { cluster: ofConsumer } = await manager.consumers.info(stream, consumer);
          const { meta_cluster: meta } = await nodes[0]!.ask();
          const [other, alone] = [nodeOf(ofStream?.leader), nodeOf(ofConsumer?.leader)];
          if (other && alone && other !== alone && alone.name !== meta?.leader) return { alone, other };
          await connection.request(`$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`);
          await sleep(500);
          return undefined;
        });
      } finally {
        await connection.close();
      }
    },
    remove: async () => {
      await Promise.all(nodes.map(node => node.kill()));
      await folder.remove();
    },
  };
}

interface Monitor {
  meta_cluster?: { leader?: string };
  account_details?: { stream_detail: { name: string; cluster?: { leader?: string } }[] }[];
}

class Node implements ClusterNode {
  readonly name: string;
  readonly port: number;
  readonly #monitor: number;
  readonly #file: string;
  readonly #store: string;
  #running: Running | undefined;

  constructor(name: string, port: number, monitor: number, file: string, store: string) {
    this.name = name;
    this.port = port;
    this.#monitor = monitor;
    this.#file = file;
    this.#store = store;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  async start(): Promise<void> {
    this.#running = await launch({
      command: findProgram('nats-server')!,
      args: ['-c', this.#file],
      ready: () => listens(this.port),
      withinMs: 15_000,
    });
  }

  loseEnd(stream: string, left: number): Promise<void> {
    return loseEnd(this.#store, stream, left);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  async kill(): Promise<void> {
    await this.#running?.stop('SIGKILL');
    this.#running = undefined;
  }

  freeze(): void {
    this.#running!.freeze();
  }

  thaw(): void {
    this.#running!.thaw();
  }

  async ask(): Promise<Monitor> {
    const answer = await fetch(`http://127.0.0.1:${this.#monitor}/jsz?accounts=true&streams=true`);
    return (await answer.json()) as Monitor;
  }
}

/** Asks until there is an answer. */
async function found<T>(ask: () => Promise<T | undefined>, withinMs = 30_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error('the NATS cluster did not become ready');
    await sleep(100);
  }
}
