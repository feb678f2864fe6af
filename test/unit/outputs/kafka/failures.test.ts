import { KafkaJSAggregateError, KafkaJSError, KafkaJSNonRetriableError, KafkaJSProtocolError } from 'kafkajs';
import { expect, test } from 'vitest';
import { RetriableError } from '../../../../src/core/errors.ts';
import { isTooLarge, isUnknownTopic, toFailure } from '../../../../src/outputs/kafka/failures.ts';

const protocol = (type: string) => Object.assign(new KafkaJSProtocolError('refused'), { type });
const wrapped = (cause: Error) => Object.assign(new KafkaJSNonRetriableError(cause), { cause });

test.each([
  ['TOPIC_AUTHORIZATION_FAILED', 'auth'],
  ['SASL_AUTHENTICATION_FAILED', 'auth'],
  ['NOT_ENOUGH_REPLICAS', 'server_error'],
  ['NOT_LEADER_FOR_PARTITION', 'server_error'],
  ['UNKNOWN_TOPIC_OR_PARTITION', 'client_error'],
  ['INVALID_RECORD', 'client_error'],
  ['REQUEST_TIMED_OUT', 'timeout'],
])('%s, bare or wrapped, may pass: %s', (type, reason) => {
  for (const error of [
    protocol(type),
    wrapped(protocol(type)),
    new KafkaJSAggregateError('both', [protocol(type)]),
  ]) {
    expect(toFailure(error)).toMatchObject({ name: 'RetriableError', reason, cause: error });
  }
});

test.each([
  [Object.assign(new KafkaJSError('x'), { name: 'KafkaJSSASLAuthenticationError' }), 'auth'],
  [Object.assign(new KafkaJSError('x'), { name: 'KafkaJSRequestTimeoutError' }), 'timeout'],
  [Object.assign(new KafkaJSError('x'), { name: 'KafkaJSConnectionError', code: 'ECONNREFUSED' }), 'network'],
  [new TypeError("Cannot read properties of undefined (reading 'nodeId')"), 'other'],
  [undefined, 'other'],
])('%s: %s', (error, reason) => expect(toFailure(error)).toMatchObject({ name: 'RetriableError', reason }));

test('ours stay ours', () => {
  const error = new RetriableError('x', { reason: 'timeout' });
  expect(toFailure(error)).toBe(error);
});

test('what decides the next step is found under its wrapping', () => {
  expect(isTooLarge(wrapped(protocol('MESSAGE_TOO_LARGE')))).toBe(true);
  expect(isTooLarge(wrapped(protocol('REQUEST_TIMED_OUT')))).toBe(false);
  expect(isUnknownTopic(wrapped(protocol('UNKNOWN_TOPIC_OR_PARTITION')))).toBe(true);
});
