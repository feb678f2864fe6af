/**
 * What an error of the NATS client means. Told by the names of its classes, so that nobody who reads an error has to load
 * the client: errors.ts of @nats-io/nats-core and jserrors.ts of @nats-io/jetstream 3.
 */
import { type FailureReason, PermanentError, RetriableError } from '../errors.ts';

interface NatsFailure {
  name?: string;
  message?: string;
  /** Of a JetStreamApiError: the HTTP-like status and the server's own number for the error. */
  status?: number;
  code?: number | string;
  cause?: unknown;
  subject?: string;
}

const AUTH = new Set(['AuthorizationError', 'UserAuthenticationExpiredError']);

const KNOWN: Record<string, [FailureReason, string]> = {
  TimeoutError: ['timeout', 'the server does not answer'],
  ClosedConnectionError: ['network', 'the connection is closed'],
  DrainingConnectionError: ['network', 'the connection is closing'],
  RequestError: ['network', 'the connection was lost'],
  ProtocolError: ['server_error', 'the server ended the connection'],
  // What the client says when nobody listens to a request: JetStream is off, has no leader, or no stream has the subject.
  JetStreamNotEnabled: ['server_error', 'no JetStream stream takes this subject'],
  NoResponders: ['server_error', 'JetStream does not answer'],
};

const CONNECTION: Record<string, string> = {
  'connection refused': 'no server takes the connection',
  "server does not support 'tls'": 'the server offers no TLS',
};

/** server/errors.json of nats-server: the stream's own limit for one message. */
const STREAM_MESSAGE_TOO_LARGE = 10054;

/** The failure in our terms. Refused credentials may be put right at the server, so no alert is given up for them. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const error = (cause ?? {}) as NatsFailure;
  const { name = '', message = '' } = error;
  if (message.includes('max_payload') || error.code === STREAM_MESSAGE_TOO_LARGE) {
    return new PermanentError('the alert is larger than the server takes', { reason: 'payload', cause });
  }
  if (error.status !== undefined && typeof error.code === 'number') {
    const reason = error.status >= 500 || error.status === 429 ? 'server_error' : 'client_error';
    return new RetriableError(`JetStream refused it: ${message}`, { reason, cause });
  }
  if (AUTH.has(name)) {
    return new RetriableError('the server refused the credentials', { reason: 'auth', cause });
  }
  if (name === 'PermissionViolationError') return toDenied(error.subject, cause);
  // A request that the server has forbidden, or that nobody answers, tells why in its cause.
  if (name === 'RequestError' && error.cause instanceof Error && error.cause !== cause) {
    return toFailure(error.cause);
  }
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined;
  if (known) return new RetriableError(known[1], { reason: known[0], cause });
  if (message === 'timeout') return toFailure({ name: 'TimeoutError' });
  const why = Object.hasOwn(CONNECTION, message)
    ? CONNECTION[message]!
    : `no connection: ${error.code || message || 'unknown error'}`;
  return new RetriableError(why, { reason: 'network', cause });
}

/** The server forbids a subject to these credentials. */
export function toDenied(subject: string | undefined, cause?: unknown): RetriableError {
  const what = subject === undefined ? 'it' : `publishing to ${subject}`;
  return new RetriableError(`the server forbids ${what}`, { reason: 'auth', cause });
}

/**
 * A leader that knows the id of a message, but has not got the message through yet, calls it a duplicate without a place.
 * Should it lose its office, nobody has the message: stream.go of nats-server stages ids with sequence 0.
 */
export function notAgreed(): RetriableError {
  return new RetriableError('the NATS cluster has not agreed on the alert yet', { reason: 'server_error' });
}
