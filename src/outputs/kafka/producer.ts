/**
 * Produces to the leaders of the partitions, one request for each broker, as kafkajs' producer does. That one cannot tell
 * which partitions took their records; so this one uses what is below it.
 */
import type * as Kafkajs from 'kafkajs';
import type { Cancellation } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { untilAborted } from '../_kit/settle.ts';
import { type Partition, type ProduceAnswer, toProtocolError } from './answers.ts';
import { toFailure } from './failures.ts';
import type { Outgoing } from './record.ts';

/** The longest that a partition without a leader, or a new one, goes unnoticed while nothing fails; kafkajs' own. */
const METADATA_MS = 300_000;

/** Kafka's error code for what it cannot name; here for a partition that an answer leaves out. */
const UNKNOWN = -1;

/** kafkajs' view of the brokers, the part that is used here (src/cluster/index.js). */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly Partition[];
  findBroker(options: { nodeId: number }): Promise<Broker>;
}

interface Broker {
  produce(request: object): Promise<ProduceAnswer>;
}

export interface ProducerOptions {
  topic: string;
  acks: 0 | 1 | -1;
  compression: Kafkajs.CompressionTypes;
}

/** What became of partitions that did not take their records. */
export type Refusals = Map<number, unknown>;

export class Producer {
  readonly #cluster: Cluster;
  readonly #options: ProducerOptions;
  /** A partition refused its records: its leader may be another by now. */
  #stale = false;
  /** A request got no answer. kafkajs does not recover from every such failure. */
  broken = false;

  constructor(kafka: Kafkajs.Kafka, options: ProducerOptions) {
    this.#cluster = createCluster(kafka);
    this.#options = options;
  }

  connect(): Promise<void> {
    return this.#cluster.connect();
  }

  disconnect(): Promise<void> {
    return this.#cluster.disconnect();
  }

  /** The partitions of the topic, at least one of them with a leader. @throws an error of kafkajs */
  async partitions(): Promise<readonly Partition[]> {
    const { topic } = this.#options;
    await this.#cluster.addMultipleTargetTopics([topic]);
    if (this.#stale) await this.#cluster.refreshMetadata();
    else await this.#cluster.refreshMetadataIfNecessary();
    this.#stale = false;
    return this.#cluster.findTopicPartitionMetadata(topic);
  }

  /**
   * Sends records, all of which have a partition. Resolves, when all brokers have answered or the time is over, with the
   * partitions that did not take theirs; with acks 0, with those that could not be sent.
   */
  async produce(records: readonly Outgoing[], signal: Cancellation): Promise<Refusals> {
    const refusals: Refusals = new Map();
    const leaders = new Map(
      this.#cluster
        .findTopicPartitionMetadata(this.#options.topic)
        .map(({ partitionId, leader }) => [partitionId, leader]),
    );
    const byPartition = Map.groupBy(records, record => record.partition!);
    const byLeader = Map.groupBy(byPartition, ([partition]) => leaders.get(partition) ?? -1);
    for (const [partition] of byLeader.get(-1) ?? []) {
      refusals.set(
        partition,
        new RetriableError(`partition ${partition} has no leader`, { reason: 'server_error' }),
      );
    }
    byLeader.delete(-1);
    const requests = [...byLeader].map(async ([nodeId, parts]) => {
      try {
        const codes = await untilAborted(this.#request(nodeId, parts, signal), signal);
        for (const [partition] of parts) {
          const code = codes ? (codes.get(partition) ?? UNKNOWN) : 0;
          if (code !== 0) refusals.set(partition, toProtocolError(code));
        }
      } catch (error) {
        this.broken = true;
        const failure = toFailure(error);
        for (const [partition] of parts) refusals.set(partition, failure);
      }
    });
    await Promise.all(requests);
    this.#stale ||= refusals.size > 0;
    return refusals;
  }

  /** Kafka's error code of each partition, 0 for none; undefined when no answer was asked for. */
  async #request(
    nodeId: number,
    parts: readonly (readonly [number, Outgoing[]])[],
    signal: Cancellation,
  ): Promise<Map<number, number> | undefined> {
    const { topic, acks, compression } = this.#options;
    const broker = await this.#cluster.findBroker({ nodeId });
    // Nobody would hear of it: the records would be stored twice.
    if (signal.aborted) throw signal.reason;
    const partitions = parts.map(([partition, messages]) => ({ partition, messages }));
    const answer = await broker.produce({ acks, compression, topicData: [{ topic, partitions }] });
    if (acks === 0) return undefined;
    return new Map(
      answer.topics.flatMap(({ partitions }) =>
        partitions.map(({ partition, errorCode }) => [partition, errorCode] as const),
      ),
    );
  }
}

/** The method has no public name, and knows all that the client was given. */
function createCluster(kafka: Kafkajs.Kafka): Cluster {
  const name = 'private:Kafka:createCluster';
  const method = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === name)!;
  const client = kafka as unknown as Record<symbol, (options: object) => Cluster>;
  return client[method]!({ metadataMaxAge: METADATA_MS, allowAutoTopicCreation: false });
}
