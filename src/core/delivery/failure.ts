/** Turns whatever an output has thrown into an error that can be acted on and shown. */
import { type FailureReason, type PartialError, PermanentError, RetriableError } from '../errors.ts';
import { oneLine, scrubUrls } from '../http/scrub.ts';

/** An output threw something that is none of our errors: it should have mapped it, or it has a bug. */
export class DefectError extends Error {
  override readonly name = 'DefectError';
  readonly reason: FailureReason = 'other';
}

export type Failure = RetriableError | PermanentError | DefectError;

/** Codes of Node and its libraries for a far side that cannot be reached or went away. */
const NETWORK_CODE = /^(E(CONN|HOST|NET|PIPE|ADDRNOTAVAIL)|ENOTFOUND$|EAI_|UND_ERR_SOCKET)/;
const TIMEOUT_CODE = /^(ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_\w*TIMEOUT)$/;

/** Longest message kept of an error. */
const MAX_MESSAGE = 500;

/**
 * Our own errors stay what they are; network and timeout errors of libraries become retriable ones, all others defects.
 * The message comes out as one line, without the private parts of URLs and masked.
 */
export function toFailure(error: unknown, mask = (text: string) => text): Failure {
  const message = mask(messageOf(error));
  if (error instanceof RetriableError) {
    const { reason, retryAfterMs } = error;
    return message === error.message
      ? error
      : new RetriableError(message, { reason, retryAfterMs, cause: error });
  }
  if (error instanceof PermanentError) {
    return message === error.message
      ? error
      : new PermanentError(message, { reason: error.reason, cause: error });
  }
  const code = String((error as { code?: unknown } | null | undefined)?.code ?? '');
  const name = error instanceof Error ? error.name : '';
  if (TIMEOUT_CODE.test(code) || name === 'TimeoutError' || name === 'AbortError') {
    return new RetriableError(message, { reason: 'timeout', cause: error });
  }
  if (NETWORK_CODE.test(code)) return new RetriableError(message, { reason: 'network', cause: error });
  return new DefectError(message, { cause: error });
}

/** The errors that stand for several alerts of a batch. */
export function sharedErrors({ failed }: PartialError): Set<Error> {
  const seen = new Set<Error>();
  const shared = new Set<Error>();
  for (const cause of failed.values()) (seen.has(cause) ? shared : seen).add(cause);
  return shared;
}

/** What an error says, in one line, without the private parts of URLs. */
export function messageOf(error: unknown): string {
  // Connection errors to several addresses carry their text in a code only.
  const text =
    error instanceof Error
      ? error.message || String((error as { code?: unknown }).code ?? error.name)
      : typeof error === 'string'
        ? error
        : 'failed without an error';
  return oneLine(scrubUrls(text), MAX_MESSAGE);
}

/** Where an error came from, without what it says (that is shown scrubbed, next to it). */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return error.stack
    ?.split('\n')
    .filter(line => /^\s+at /.test(line))
    .slice(0, 10)
    .map(line => line.trim())
    .join('\n');
}
