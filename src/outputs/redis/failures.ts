/** What an error of Redis, or of its client, means for the alert. */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';
import { toSocketFailure } from '../_kit/socket-failure.ts';

// The first word of an error is its kind; src/server.c and src/object.c of Redis hold the list.
const REPLIES: Record<string, [FailureReason, string]> = {
  WRONGPASS: ['auth', 'the server refused user name or password'],
  NOAUTH: ['auth', 'the server wants a password'],
  DENIED: ['auth', 'the server is in protected mode: it takes connections of its own host only'],
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
  'DENIED',
  'NOAUTH',
  'WRONGPASS',
]);

// Said before the client has asked for anything, in place of the first answer; src/networking.c of Redis.
const FULL = /^ERR max number of clients/;

// The client's own texts, node_modules/@redis/client/dist/lib/errors.js. Its errors have no names of their own.
const LOSS = /^(Socket closed unexpectedly|Disconnects client|The client is (closed|offline)$)/;

function messageOf(cause: unknown): string {
  const { message = '' } = (cause ?? {}) as Partial<Error>;
  return message;
}

function codeOf(cause: unknown): string {
  return /^-?([A-Z]+)(?= |$)/.exec(messageOf(cause))?.[1] ?? '';
}

/** Whether another connection may do better. */
export function isWrongServer(cause: unknown): boolean {
  return WRONG_SERVER.has(codeOf(cause)) || FULL.test(messageOf(cause));
}

/** Whether the connection ended before there was an answer. */
export function isLoss(cause: unknown): boolean {
  return LOSS.test(messageOf(cause));
}

/** An answer that is no error, but none to the command either. */
export function unexpected(): RetriableError {
  return new RetriableError('the server gave an unexpected answer', { reason: 'server_error' });
}

/** The failure in our terms; texts of the server are not repeated, because they can hold what was sent. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const message = messageOf(cause);
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
  if (message === 'Connection timeout') {
    return new RetriableError('the server does not answer', { reason: 'timeout', cause });
  }
  if (isLoss(cause)) {
    return new RetriableError('the connection was lost', { reason: 'network', cause });
  }
  // The client's decoder, node_modules/@redis/client/dist/lib/RESP/decoder.js.
  if (/^Unknown RESP type/.test(message)) {
    return new RetriableError('what answers does not speak the protocol of Redis', {
      reason: 'server_error',
      cause,
    });
  }
  if (FULL.test(message)) {
    return new RetriableError('the server has no connection left (maxclients)', {
      reason: 'server_error',
      cause,
    });
  }
  if (/^ERR\b/.test(message)) {
    return new RetriableError('the server refused the command', { reason: 'server_error', cause });
  }
  return toSocketFailure(cause);
}
