/** Why no daemon answers, and what to do about it. */
import { CliError, EXIT } from './exit.ts';

/** Why a connection failed, in few words and without anything that was sent. */
export function describe(error: unknown): string {
  const { code, message, errors } = error as NodeJS.ErrnoException & { errors?: unknown[] };
  if (errors?.length) return describe(errors[0]);
  const known = CONNECTION_ERRORS[code ?? ''];
  if (known) return known;
  // An alert of the daemon's (RFC 8446, 6.2): it is not content with the client's side.
  if (code && /_ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERT|HANDSHAKE_FAIL)/.test(code))
    return CLIENT_CERTIFICATE;
  if (code && /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code))
    return `its certificate is not trusted: ${message}`;
  if (code?.startsWith('ERR_SSL') || code === 'EPROTO')
    return 'TLS fails: is it plain HTTP that is spoken there?';
  return code ?? message;
}

const CLIENT_CERTIFICATE = 'it wants a client certificate of its authority';
const CLOSED = 'the connection was closed: is TLS or a client certificate wanted there?';

const CONNECTION_ERRORS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up at present',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
  ETIMEDOUT: 'the connection timed out',
  ECONNRESET: CLOSED,
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_SOCKET: CLOSED,
};

/** The error for a daemon that cannot be reached, with what may help. */
export function unreachable(url: string, why: string, cause: unknown): CliError {
  const error = new CliError(EXIT.unreachable, `no daemon at ${url}: ${why}`, hintFor(why));
  error.cause = cause;
  return error;
}

function hintFor(why: string): string {
  if (why.startsWith('its certificate'))
    return 'give its authority with --ca FILE, or --insecure to go without the check';
  if (why === CLIENT_CERTIFICATE) return 'give one with --cert FILE and --key FILE';
  if (why === CLOSED)
    return 'use https:// in --url where it speaks TLS; give a client certificate with --cert FILE and --key FILE';
  return 'start it with `tiercel run`, or say where it is with --url or TIERCEL_URL';
}
