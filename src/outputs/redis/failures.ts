/** What an error of Redis, or of its client, means for the alert. */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';
import { toSocketFailure } from '../_kit/socket-failure.ts';

// The first word of an error is its kind; src/server.c and src/object.c of Redis hold the list.
const REPLIES: Record<string, [FailureReason, string]> = {
  WRONGPASS: ['auth', 'the server refused user name or password'],
  NOAUTH: ['auth', 'the server wants a password'],
  NOPERM: ['auth', 'the user may not write to this key'],
  WRONGTYPE: ['client_error', 'the key holds another type: choose another key or storagetype'],
  OOM: ['server_error', 'the server has no memory left'],
  READONLY: ['server_error', 'the server is a read-only replica'],
  MISCONF: ['server_error', 'the server cannot save to its disk and takes no writes'],
  LOADING: ['server_error', 'the server is loading its data'],
  BUSY: ['server_error', 'the server is busy with a script'],
  MASTERDOWN: ['server_error', 'the server has no link to its master'],
  NOREPLICAS: ['server_error', 'the server has too few replicas to take writes'],
  CLUSTERDOWN: ['server_error', 'the cluster is down'],
  TRYAGAIN: ['server_error', 'the cluster is moving the key'],
  MOVED: ['client_error', 'the key lives on another node of the cluster: name that one as address'],
  ASK: ['server_error', 'the cluster is moving the key'],
};

/** Answers that say nothing of the alert and may be gone with another connection, for example after a failover. */
const WRONG_SERVER = new Set([
  'READONLY',
  'LOADING',
  'MASTERDOWN',
  'MOVED',
  'CLUSTERDOWN',
  'NOAUTH',
  'WRONGPASS',
]);

function codeOf(cause: unknown): string {
  const { message = '' } = (cause ?? {}) as Partial<Error>;
  return /^-?([A-Z]+)(?= |$)/.exec(message)?.[1] ?? '';
}

/** Whether another connection may do better. */
export function isWrongServer(cause: unknown): boolean {
  return WRONG_SERVER.has(codeOf(cause));
}

/** The failure in our terms; texts of the server are not repeated, because they can hold what was sent. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  const { name = '', message = '' } = (cause ?? {}) as Partial<Error>;
  const known = REPLIES[codeOf(cause)];
  if (known) return new RetriableError(known[1], { reason: known[0], cause });
  if (/AUTH.*without any password configured|no password is set/i.test(message)) {
    return new RetriableError('the server has no password for this user, but one is configured', {
      reason: 'auth',
      cause,
    });
  }
  if (/DB index is out of range|invalid DB index/i.test(message)) {
    return new RetriableError('the server has no database of this number', { reason: 'client_error', cause });
  }
  // proto-max-bulk-len of the server, 512 MB by default.
  if (/string exceeds maximum allowed size/i.test(message)) {
    return new PermanentError('the alert is larger than the server takes', { reason: 'payload', cause });
  }
  if (name === 'ConnectionTimeoutError') {
    return new RetriableError('the server does not answer', { reason: 'timeout', cause });
  }
  if (
    /^(SocketClosedUnexpectedly|Disconnects|ClientClosed|ClientOffline)/.test(name) ||
    /Socket closed unexpectedly|client is (closed|offline)/i.test(message)
  ) {
    return new RetriableError('the connection was lost', { reason: 'network', cause });
  }
  if (/^ERR\b/.test(message)) {
    return new RetriableError('the server refused the command', { reason: 'server_error', cause });
  }
  return toSocketFailure(cause);
}
