/** What an error of nodemailer, or a reply of the server, means for the mail. */
import type { FailureReason } from '../../core/errors.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { toSocketFailure } from '../_kit/socket-failure.ts';
import { truncate } from '../_kit/text.ts';

/** nodemailer's errors; codes in errors.js, the rest is set in smtp-connection. */
interface MailFailure {
  code?: string;
  /** The system's or OpenSSL's code beneath. */
  originalCode?: string;
  /** The server's whole reply, and the number at its start. */
  response?: string;
  responseCode?: number;
  /** The command that was answered. */
  command?: string;
}

/** Replies that ask to sign in, or to do so otherwise: RFC 4954, section 6. */
const SIGN_IN = new Set([530, 534, 535, 538]);
/** Commands whose reply is about this mail; a refusal elsewhere is about all of them and may be put right. */
const ABOUT_THE_MAIL = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);
const MAX_REPLY = 300;
/** Congestion, which passes (RFC 3463, section 3.5): Gmail's limits of a day, support.google.com/a/answer/3726730. */
const QUOTA = /^5\d\d[ -]5\.4\.5\b/;

/** The failure in our terms; says what the server replied, but not to a sign-in. */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const { code = '', originalCode, response = '', responseCode = 0, command } = (cause ?? {}) as MailFailure;
  const retriable = (message: string, reason: FailureReason) =>
    new RetriableError(message, { reason, cause });
  if (code === 'EAUTH') {
    return retriable(`the server refused the credentials${responseCode ? ` (${responseCode})` : ''}`, 'auth');
  }
  const reply = truncate(response.replace(/\s+/g, ' ').trim(), MAX_REPLY);
  if (command === 'STARTTLS' && responseCode > 0) {
    return retriable(`the server offers no STARTTLS, which tls asks for: ${reply}`, 'network');
  }
  if (SIGN_IN.has(responseCode)) return retriable(`the server wants a sign-in first: ${reply}`, 'auth');
  if (QUOTA.test(reply)) return retriable(`the server takes no more for now: ${reply}`, 'rate_limited');
  if (responseCode >= 500 && ABOUT_THE_MAIL.has(command ?? '')) {
    const reason = isTooLarge(responseCode, reply) ? 'payload' : 'client_error';
    return new PermanentError(`the server refused the mail: ${reply}`, { reason, cause });
  }
  if (responseCode >= 400) return retriable(`the server does not take it now: ${reply}`, 'server_error');
  if (code === 'EMESSAGE') {
    return new PermanentError('the mail is larger than the server takes', { reason: 'payload', cause });
  }
  if (code === 'EENVELOPE') {
    return new PermanentError('an address cannot be used', { reason: 'client_error', cause });
  }
  if (code === 'ETIMEDOUT') return retriable('the server does not answer', 'timeout');
  if (originalCode !== undefined) return toSocketFailure({ code: originalCode });
  if (code === 'ETLS') return retriable('TLS with the server failed', 'network');
  if (code === 'EPROTOCOL') return retriable('the server does not speak SMTP', 'network');
  if (code === 'EDNS') return retriable('the name of the server is not known', 'network');
  return retriable('the connection was lost', 'network');
}

/** Status codes of RFC 3463: message too long for the mailbox, or for the system. */
function isTooLarge(responseCode: number, reply: string): boolean {
  return /^\d{3} 5\.(2\.3|3\.4)\b/.test(reply) || (responseCode === 552 && !/^\d{3} 5\.2\.2\b/.test(reply));
}
