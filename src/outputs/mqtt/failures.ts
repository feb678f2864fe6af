/**
 * What an error of the mqtt package means for the alert. Codes: MQTT 3.1.1, 3.2.2.3 (answers to a connection) and MQTT 5,
 * 2.4 (reason codes); docs.oasis-open.org/mqtt.
 */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';
import { toSocketFailure } from '../_kit/socket-failure.ts';

const REFUSALS: Record<number, [FailureReason, string]> = {
  1: ['client_error', 'the broker does not speak this version of MQTT'],
  2: ['client_error', 'the broker refused the client id'],
  3: ['server_error', 'the broker is not available'],
  4: ['auth', 'the broker refused the credentials'],
  5: ['auth', 'the broker refused the credentials'],
  130: ['server_error', 'the broker breaks the protocol, or says that this client does'],
  132: ['client_error', 'the broker does not speak this version of MQTT'],
  133: ['client_error', 'the broker refused the client id'],
  134: ['auth', 'the broker refused the credentials'],
  135: ['auth', 'these credentials may not do this'],
  138: ['auth', 'the broker has banned this client'],
  142: ['client_error', 'another client has connected with this client id'],
  144: ['client_error', 'the broker does not take this topic'],
  147: ['server_error', 'more alerts were under way than the broker takes'],
  150: ['rate_limited', 'the broker takes no more at this rate'],
  151: ['rate_limited', 'a quota of the broker is used up'],
  154: ['client_error', 'the broker keeps no retained messages'],
  155: ['client_error', 'the broker does not offer this QoS'],
  159: ['rate_limited', 'the broker takes no more connections at this rate'],
};

export const PROTOCOL_ERROR = 130;
const PACKET_TOO_LARGE = 149;

/** The failure in our terms; the text names neither address nor user. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const { code, message = '' } = (cause ?? {}) as { code?: number | string; message?: string };
  if (code === PACKET_TOO_LARGE) return tooLarge(cause);
  if (typeof code === 'number') {
    const [reason, text] = REFUSALS[code] ?? ['server_error', `the broker refused it with code ${code}`];
    return new RetriableError(text, { reason, cause });
  }
  if (typeof code === 'string') return toSocketFailure(cause);
  if (/connack timeout|Keepalive timeout/i.test(message)) {
    return new RetriableError('the broker does not answer', { reason: 'timeout', cause });
  }
  return new RetriableError('the connection was lost', { reason: 'network', cause });
}

/** An alert that the broker will never take. */
export function tooLarge(cause?: unknown): PermanentError {
  return new PermanentError('the alert is larger than the broker takes', { reason: 'payload', cause });
}
