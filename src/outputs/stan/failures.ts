/** What an error of the NATS client, or of the streaming server behind it, means for the alert. */
import { type PermanentError, RetriableError } from '../../core/errors.ts';
import { toFailure as toNatsFailure } from '../../core/nats/failures.ts';

const MAX_TEXT = 200;

/** The failure in our terms. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  const { name, cause: inner } = (cause ?? {}) as { name?: string; cause?: { name?: string } };
  if (name === 'NoResponders' || inner?.name === 'NoResponders') {
    return new RetriableError('no streaming server answers: is it running, and clusterid right?', {
      reason: 'network',
      cause,
    });
  }
  return toNatsFailure(cause);
}

/** What the streaming server itself refused, in its words; somebody may put it right there. */
export function refused(error: string): RetriableError {
  const reason = /too many channels/.test(error) ? 'client_error' : 'server_error';
  return new RetriableError(`the server refused it: ${error.slice(0, MAX_TEXT)}`, { reason });
}

/** The server has forgotten this client, or given its id to another one. */
export function forgotten(): RetriableError {
  return new RetriableError('the server does not know this client any more', { reason: 'server_error' });
}

/** The answer is none of the streaming server's to what was asked: something else listens there. */
export function misunderstood(cause?: unknown): RetriableError {
  return new RetriableError('something else than a streaming server answers', {
    reason: 'server_error',
    cause,
  });
}
