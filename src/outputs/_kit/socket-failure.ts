/** What an error of a TCP or TLS socket means for the alert. */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';

const KNOWN: Record<string, [FailureReason, string]> = {
  ECONNREFUSED: ['network', 'no server takes the connection'],
  ECONNRESET: ['network', 'the server broke the connection'],
  EPIPE: ['network', 'the server broke the connection'],
  ETIMEDOUT: ['timeout', 'the server does not answer'],
  EHOSTUNREACH: ['network', 'the server cannot be reached'],
  ENETUNREACH: ['network', 'the server cannot be reached'],
  ENOTFOUND: ['network', 'the name of the server is not known'],
  EAI_AGAIN: ['network', 'the name of the server cannot be looked up at present'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['network', "the server's certificate is for another name"],
  CERT_HAS_EXPIRED: ['network', "the server's certificate has expired"],
};

// Reasons of OpenSSL's X509_verify_cert_error_string as Node names them; node/src/crypto/crypto_common.cc.
const UNTRUSTED =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|INVALID_CA|PATH_LENGTH)/;
// Alerts with which a server turns a client down for its certificate, or for having none.
const CLIENT_REFUSED =
  /^ERR_SSL_\w*ALERT_(BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/** The failure in our terms; the text names neither addresses nor secrets. Nothing about a connection is for good. */
export function toSocketFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const { code = '' } = (cause ?? {}) as { code?: string };
  const [reason, message] = toReason(code);
  return new RetriableError(message, { reason, cause });
}

function toReason(code: string): [FailureReason, string] {
  if (Object.hasOwn(KNOWN, code)) return KNOWN[code]!;
  if (UNTRUSTED.test(code)) return ['network', `the server's certificate is not trusted (${code})`];
  if (CLIENT_REFUSED.test(code)) return ['auth', `the server refused the client's certificate (${code})`];
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code)) return ['network', `TLS with the server failed (${code})`];
  return ['network', `no connection: ${code || 'unknown error'}`];
}
