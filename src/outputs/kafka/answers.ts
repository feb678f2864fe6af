/**
 * kafkajs 2.2.4 turns an answer about many partitions into the error of the first bad one: of metadata nothing is left
 * when one partition has no leader, and of a produce request nobody learns which partitions took their records. Its
 * readers of these answers are replaced by ones that leave the partitions as they are
 * (kafka.apache.org/protocol, Metadata and Produce).
 */

/** Kafka's error code, with the type that it has in kafkajs. */
const LEADER_NOT_AVAILABLE = 5;

export interface Partition {
  partitionId: number;
  /** Number of the broker; -1 for none. */
  leader: number;
}

interface Metadata {
  topicMetadata: { topicErrorCode: number; partitionMetadata: Partition[] }[];
}

export interface ProduceAnswer {
  topics: { partitions: { partition: number; errorCode: number }[] }[];
}

interface Requests {
  versions: string[];
  protocol(options: { version: string }): (fields: object) => { response: { parse: unknown } };
}

let errorOf: (code: number) => Error;

/** The error of kafkajs for an error code of Kafka's, once the answers are mended. */
export function toProtocolError(code: number): Error {
  return errorOf(code);
}

/** Fails for a topic with an error of its own, or one without any leader: there is nowhere to go then. */
async function parseMetadata(metadata: Metadata): Promise<Metadata> {
  for (const { topicErrorCode, partitionMetadata } of metadata.topicMetadata) {
    if (topicErrorCode !== 0) throw errorOf(topicErrorCode);
    if (partitionMetadata.every(({ leader }) => leader < 0)) throw errorOf(LEADER_NOT_AVAILABLE);
  }
  return metadata;
}

async function parseProduce(answer: ProduceAnswer): Promise<ProduceAnswer> {
  return answer;
}

/** Puts the readers in place; doing so again changes nothing. */
export async function mendAnswers(): Promise<void> {
  const inside = 'kafkajs/src/protocol';
  const [{ default: errors }, { default: metadata }, { default: produce }] = await Promise.all([
    import(`${inside}/error.js`) as Promise<{ default: { createErrorFromCode: typeof errorOf } }>,
    import(`${inside}/requests/metadata/index.js`) as Promise<{ default: Requests }>,
    import(`${inside}/requests/produce/index.js`) as Promise<{ default: Requests }>,
  ]);
  errorOf = errors.createErrorFromCode;
  for (const [requests, parse] of [[metadata, parseMetadata] as const, [produce, parseProduce] as const]) {
    for (const version of requests.versions) requests.protocol({ version })({}).response.parse = parse;
  }
}
