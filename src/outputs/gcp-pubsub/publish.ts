/** Calls of Pub/Sub that publish alerts, over HTTP and over gRPC. Pure. */
import type { Alert } from '../../core/contract.ts';
import { encode, type MessageType } from '../_kit/protobuf.ts';

/** The method of the service for gRPC. */
export const PUBLISH = '/google.pubsub.v1.Publisher/Publish';
export const GET_TOPIC = '/google.pubsub.v1.Publisher/GetTopic';

/** google/pubsub/v1/pubsub.proto in github.com/googleapis/googleapis; a map is a list of entries. */
const REQUEST: MessageType = {
  topic: { number: 1, type: 'string' },
  messages: {
    number: 2,
    many: true,
    type: {
      data: { number: 1, type: 'bytes' },
      attributes: {
        number: 2,
        many: true,
        type: { key: { number: 1, type: 'string' }, value: { number: 2, type: 'string' } },
      },
    },
  },
};

type Attributes = Readonly<Record<string, string>>;

/** The full name of a topic, which may be given as such. */
export function topicName(projectid: string, topic: string): string {
  return topic.startsWith('projects/') ? topic : `projects/${projectid}/topics/${topic}`;
}

/** cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish. */
export function toJson(alerts: readonly Alert[], attributes: Attributes): object {
  const given = Object.keys(attributes).length > 0 ? { attributes } : {};
  return { messages: alerts.map(({ bytes }) => ({ data: bytes.toString('base64'), ...given })) };
}

/** A PublishRequest. */
export function toProtobuf(topic: string, alerts: readonly Alert[], attributes: Attributes): Buffer {
  const entries = Object.entries(attributes).map(([key, value]) => ({ key, value }));
  const messages = alerts.map(({ bytes }) => ({ data: bytes, attributes: entries }));
  return encode(REQUEST, { topic, messages });
}

/** A GetTopicRequest: its only field is that of a topic too. */
export function toTopicRequest(topic: string): Buffer {
  return encode(REQUEST, { topic });
}

/** What Pub/Sub would refuse of attributes: cloud.google.com/pubsub/quotas#resource_limits. */
export function attributeProblem(attributes: Attributes): string | undefined {
  const entries = Object.entries(attributes);
  if (entries.length > 100) return 'expected at most 100 attributes';
  for (const [name, value] of entries) {
    if (name === '' || Buffer.byteLength(name) > 256) return 'expected names of 1 to 256 bytes';
    if (name.startsWith('goog')) return `${name}: names that start with goog are those of Google`;
    if (Buffer.byteLength(value) > 1024) return `${name}: expected a value of at most 1024 bytes`;
  }
  return undefined;
}
