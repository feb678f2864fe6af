/** What an error of the nats package means for the alert. Codes: ErrorCode in nats-base-client/core.d.ts of nats 2. */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';

interface NatsFailure {
  code?: string;
  message?: string;
  api_error?: { code: number; err_code?: number; description: string };
  permissionContext?: { subject: string };
}

const AUTH = new Set([
  'BAD_AUTHENTICATION',
  'BAD_CREDS',
  'AUTHORIZATION_VIOLATION',
  'AUTHENTICATION_EXPIRED',
  'AUTHENTICATION_TIMEOUT',
  'ACCOUNT_EXPIRED',
]);

const KNOWN: Record<string, [FailureReason, string]> = {
  CONNECTION_REFUSED: ['network', 'no server takes the connection'],
  CONNECTION_TIMEOUT: ['timeout', 'the server does not answer'],
  TIMEOUT: ['timeout', 'the server does not answer'],
  DISCONNECT: ['network', 'the connection was lost'],
  CONNECTION_CLOSED: ['network', 'the connection is closed'],
  SERVER_OPT_NA: ['network', 'the server offers no TLS, or no headers'],
  NATS_PROTOCOL_ERR: ['server_error', 'the server ended the connection'],
  // What the server answers when no stream listens to the subject, or JetStream is off.
  '503': ['server_error', 'no JetStream stream takes this subject'],
};

// The stream's own limit for one message; server/errors.json of nats-server.
const STREAM_MESSAGE_TOO_LARGE = 10054;

/** The failure in our terms. Refused credentials may be put right at the server, so no alert is given up for them. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const error = (cause ?? {}) as NatsFailure;
  const { code = '', api_error: refusal } = error;
  if (code === 'MAX_PAYLOAD_EXCEEDED' || refusal?.err_code === STREAM_MESSAGE_TOO_LARGE) {
    return new PermanentError('the alert is larger than the server takes', { reason: 'payload', cause });
  }
  if (refusal) {
    const reason = refusal.code >= 500 || refusal.code === 429 ? 'server_error' : 'client_error';
    return new RetriableError(`JetStream refused it: ${refusal.description}`, { reason, cause });
  }
  if (AUTH.has(code)) {
    return new RetriableError('the server refused the credentials', { reason: 'auth', cause });
  }
  if (code === 'PERMISSIONS_VIOLATION') return toDenied(error.permissionContext?.subject, cause);
  const known = Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined;
  if (known) return new RetriableError(known[1], { reason: known[0], cause });
  return new RetriableError(`no connection: ${code || error.message || 'unknown error'}`, {
    reason: 'network',
    cause,
  });
}

/** The server forbids a subject to these credentials. */
export function toDenied(subject: string | undefined, cause?: unknown): RetriableError {
  const what = subject === undefined ? 'it' : `publishing to ${subject}`;
  return new RetriableError(`the server forbids ${what}`, { reason: 'auth', cause });
}
