/** What an error of kafkajs means for the alerts. Types: src/protocol/error.js of kafkajs 2. */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';

interface KafkaFailure {
  name?: string;
  message?: string;
  /** Kafka's own error code by name. */
  type?: string;
  /** Node's code for a socket or TLS error. */
  code?: string | number;
  cause?: unknown;
  errors?: unknown[];
}

const BY_TYPE: Record<string, [FailureReason, string]> = {
  UNKNOWN_TOPIC_OR_PARTITION: ['client_error', 'the topic does not exist'],
  INVALID_TOPIC_EXCEPTION: ['client_error', 'the topic has a name that Kafka does not allow'],
  INVALID_RECORD: ['client_error', 'the topic refuses the record: does it want a key?'],
  POLICY_VIOLATION: ['client_error', "the broker's policy forbids it"],
  TOPIC_AUTHORIZATION_FAILED: ['auth', 'these credentials may not write to the topic'],
  CLUSTER_AUTHORIZATION_FAILED: ['auth', 'these credentials may not do this in the cluster'],
  SASL_AUTHENTICATION_FAILED: ['auth', 'the broker refused the credentials'],
  UNSUPPORTED_SASL_MECHANISM: ['auth', 'the broker does not offer this sasl mechanism'],
  ILLEGAL_SASL_STATE: ['auth', 'the broker does not expect sasl on this port'],
  REQUEST_TIMED_OUT: ['timeout', 'the replicas did not confirm in time'],
  NOT_ENOUGH_REPLICAS: ['server_error', 'fewer replicas are in sync than the topic demands'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: ['server_error', 'fewer replicas are in sync than the topic demands'],
};

const BY_NAME: Record<string, [FailureReason, string]> = {
  KafkaJSSASLAuthenticationError: ['auth', 'the broker refused the credentials'],
  KafkaJSRequestTimeoutError: ['timeout', 'the broker does not answer'],
  KafkaJSConnectionClosedError: ['network', 'the broker closed the connection'],
};

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** The errors wrapped in one another, outermost first. */
function layers(error: unknown): KafkaFailure[] {
  const found: KafkaFailure[] = [];
  let layer = error as KafkaFailure | undefined;
  while (layer && found.length < 8) {
    found.push(layer);
    layer = (layer.errors?.[0] ?? layer.cause) as KafkaFailure | undefined;
  }
  return found;
}

/** Whether the broker found a record, or the records of one partition together, too large. */
export function isTooLarge(error: unknown): boolean {
  return layers(error).some(layer => TOO_LARGE.has(layer.type ?? ''));
}

/** Whether the broker does not know the topic. */
export function isUnknownTopic(error: unknown): boolean {
  return layers(error).some(layer => layer.type === 'UNKNOWN_TOPIC_OR_PARTITION');
}

/** The failure in our terms: all may pass, by somebody's doing at the broker if not by itself. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const all = layers(cause);
  for (const { type = '', name = '' } of all) {
    const known = lookUp(BY_TYPE, type) ?? lookUp(BY_NAME, name);
    if (known) return new RetriableError(known[1], { reason: known[0], cause });
  }
  const typed = all.find(({ type }) => type);
  if (typed) return new RetriableError(`the broker answers ${typed.type}`, { reason: 'server_error', cause });
  const root = all.at(-1);
  const network = all.some(
    ({ name = '', code }) => name.startsWith('KafkaJSConnection') || code !== undefined,
  );
  return new RetriableError(root?.message ?? 'unknown error', {
    reason: network ? 'network' : 'other',
    cause,
  });
}

function lookUp<T>(values: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** An alert that the broker will never take. */
export function tooLarge(cause: unknown): PermanentError {
  return new PermanentError('the alert is larger than the topic takes (max.message.bytes)', {
    reason: 'payload',
    cause,
  });
}
