/** What an error of amqplib means for the alerts. Codes: rabbitmq.com/amqp-0-9-1-reference. */
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { toSocketFailure } from '../_kit/socket-failure.ts';

interface AmqpFailure {
  message?: string;
  /** A reply code, or Node's code for a socket or TLS error. */
  code?: number | string;
}

const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;
const CONNECTION_FORCED = 320;

/** The size of the message and the limit; src/rabbit_channel.erl of RabbitMQ, check_msg_size. */
const OVER_LIMIT = /message size \d+ is larger than (?:configured )?max size (\d+)/;

// What the server says while a connection is opened reaches us as a text only, of a refused virtual host not even that.
const WHILE_OPENING: [RegExp, string][] = [
  [/ACCESS[-_]REFUSED|403 /, 'the server refused the credentials'],
  [/SASL mechanism/, 'the server does not offer this auth_mechanism'],
  [
    /Expected ConnectionOpenOk/,
    'the server refused the connection: is the virtual host there, and open to this user?',
  ],
];

/**
 * What the end of the channel means for one alert of those that were under way: only the one that the server found too
 * large is never taken.
 * @param bytes size of the alert's body, which is what the server measures
 */
export function toFailureOf(bytes: number, cause: unknown): RetriableError | PermanentError {
  const { message = '', code } = (cause ?? {}) as AmqpFailure;
  const limit = code === PRECONDITION_FAILED ? OVER_LIMIT.exec(message)?.[1] : undefined;
  if (limit === undefined) return toFailure(cause);
  if (bytes > Number(limit)) {
    return new PermanentError(`the alert is larger than the server takes (max_message_size ${limit})`, {
      reason: 'payload',
      cause,
    });
  }
  return new RetriableError('the server ended the channel because of another alert, which is too large', {
    reason: 'client_error',
    cause,
  });
}

/** The failure in our terms; the text names neither address nor user. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const { message = '', code } = (cause ?? {}) as AmqpFailure;
  switch (code) {
    case ACCESS_REFUSED:
      return new RetriableError('these credentials may not publish to the default exchange', {
        reason: 'auth',
        cause,
      });
    case NOT_FOUND:
      return noQueue(cause);
    case PRECONDITION_FAILED:
      return new RetriableError('the server refused to go on: is an alert larger than it takes?', {
        reason: 'client_error',
        cause,
      });
    case CONNECTION_FORCED:
      return new RetriableError('the server closed the connection', { reason: 'network', cause });
  }
  if (typeof code === 'number') {
    return new RetriableError(`the server ended it with code ${code}`, { reason: 'server_error', cause });
  }
  const refused = WHILE_OPENING.find(([pattern]) => pattern.test(message));
  if (refused) return new RetriableError(refused[1], { reason: 'auth', cause });
  if (/ETIMEDOUT|Heartbeat timeout/.test(message)) {
    return new RetriableError('the server does not answer', { reason: 'timeout', cause });
  }
  if (typeof code === 'string') return toSocketFailure(cause);
  return new RetriableError('the connection was lost', { reason: 'network', cause });
}

/** No queue of the configured name: somebody may still make it, so the alert waits. */
export function noQueue(cause?: unknown): RetriableError {
  return new RetriableError('there is no queue of this name in the virtual host', {
    reason: 'client_error',
    cause,
  });
}
