/** What went wrong when no answer came, as our errors. Pure. */
import { PermanentError, RetriableError } from '../errors.ts';
import { STATUS_CODES } from './node-http.ts';

const TLS_HINTS: Record<string, string> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'is signed by an authority that is not trusted (see tlsclient.cacertfile)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed (see tlsclient.cacertfile and checkcert)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is signed by an authority that is not trusted (see tlsclient.cacertfile)',
  UNABLE_TO_GET_ISSUER_CERT: 'is signed by an authority that is not trusted (see tlsclient.cacertfile)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'is signed by an authority that is not trusted (see tlsclient.cacertfile)',
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another name (see tls.servername)',
};

const NETWORK_TEXTS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ENOTFOUND: 'the name is unknown',
  EAI_AGAIN: 'the name cannot be looked up at present',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'the connection timed out',
  WIRE_CLOSED: 'the connection was closed before the answer',
  WIRE_NOT_HTTP: 'the answer is not HTTP',
  WIRE_HEADERS_OVERFLOW: 'the headers of the answer are too large',
  // Through a proxy's tunnel, undici reads the answers.
  UND_ERR_SOCKET: 'the connection was closed before the answer',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too large',
};

const TIMEOUTS = new Set([
  'ETIMEDOUT',
  'WIRE_CONNECT_TIMEOUT',
  'WIRE_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * @param origin scheme, host and port of the target; nothing else of its URL may be shown
 */
export function toHttpFailure(error: unknown, origin: string): RetriableError | PermanentError {
  if (error instanceof RetriableError || error instanceof PermanentError) return error;
  const { code: rawCode, name = '', message = '' } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const code = String(rawCode ?? '');
  const network = (text: string) =>
    new RetriableError(`${origin}: ${text}`, {
      reason: TIMEOUTS.has(code) ? 'timeout' : 'network',
      cause: error,
    });

  // Only the request itself can be invalid (a header with a line break): it will be so next time.
  if (code === 'WIRE_INVALID_REQUEST' || code === 'UND_ERR_INVALID_ARG') {
    return new PermanentError(`the request cannot be sent: ${message}`, { reason: 'payload', cause: error });
  }
  if (code in TLS_HINTS) return network(`its certificate ${TLS_HINTS[code]}`);
  if (code in NETWORK_TEXTS) return network(NETWORK_TEXTS[code]!);
  if (TIMEOUTS.has(code)) {
    return network(code.endsWith('_CONNECT_TIMEOUT') ? 'no connection in time' : 'no answer in time');
  }
  if (name === 'HTTPParserError') return network('the answer is not HTTP');
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code)) return network(`TLS failed (${code})`);
  return network(`no answer (${code || 'unknown error'})`);
}

/**
 * A status that a proxy itself has answered: the target has seen nothing, and may take the alert later.
 * @param proxy as the error names it
 */
export function toProxyRefusal(proxy: string, status: number): RetriableError {
  if (status === 407) return new RetriableError(`${proxy} asks for credentials (407)`, { reason: 'auth' });
  const answer = STATUS_CODES[status] ? `${status} ${STATUS_CODES[status]}` : String(status);
  return new RetriableError(`${proxy} refuses a tunnel (${answer})`, { reason: 'network' });
}
