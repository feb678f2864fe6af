/** What an error of PostgreSQL means for the alert. Codes: postgresql.org/docs/current/errcodes-appendix.html */
import { type FailureReason, PermanentError, RetriableError } from '../../core/errors.ts';
import { toSocketFailure } from '../_kit/socket-failure.ts';

interface ServerError {
  code: string;
  message: string;
  column?: string;
  constraint?: string;
}

const KNOWN: Record<string, [FailureReason, string]> = {
  '28P01': ['auth', 'the server refused user or password'],
  '28000': ['auth', 'the server does not let this user in from here, or wants TLS (see pg_hba.conf)'],
  '42501': ['auth', 'the user may not insert into the table'],
  '3D000': ['client_error', 'the database does not exist'],
  '42P01': ['client_error', 'the table does not exist'],
  '25006': ['server_error', 'the server is read-only'],
  '57014': ['timeout', 'the statement took too long'],
  '53300': ['server_error', 'the server has no connection left'],
  '53100': ['server_error', 'the disk of the server is full'],
};

/** Classes of errors that are about a row: data, integrity, a view's check, limits, and what a trigger raised. */
const ABOUT_ROWS = /^(22|23|44|54|P0)/;

function serverError(cause: unknown): ServerError | undefined {
  const { code } = (cause ?? {}) as Partial<ServerError>;
  // Node's own codes begin with a letter and have no digit, `ECONNREFUSED`.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code)
    ? (cause as ServerError)
    : undefined;
}

/** Whether one row may be at fault rather than all of them. */
export function isAboutRows(cause: unknown): boolean {
  return ABOUT_ROWS.test(serverError(cause)?.code ?? '');
}

/** Whether rows with other columns may fare better. */
export function isAboutColumns(cause: unknown): boolean {
  return serverError(cause)?.code === '42703';
}

/** The column of a row that may not be NULL and is; undefined when something else is wrong. */
export function missingColumn(cause: unknown): string | undefined {
  const error = serverError(cause);
  return error?.code === '23502' ? error.column : undefined;
}

/** The table has a column that the row was made without. */
export function changed(cause: unknown): RetriableError {
  return new RetriableError('the table has got other columns', { reason: 'client_error', cause });
}

/** Whether the server lives, but another connection may do better: it was promoted, demoted or is going down. */
export function isWrongServer(cause: unknown): boolean {
  return /^(25006|57P0\d)$/.test(serverError(cause)?.code ?? '');
}

/** Whether a connection without TLS may come about where this one failed. */
export function mayDoWithoutTls(cause: unknown): boolean {
  const { code = '', message = '' } = (cause ?? {}) as Partial<ServerError>;
  return code === '28000' || /^(ERR_SSL_|EPROTO)/.test(code) || NO_TLS.test(message);
}

/**
 * The failure in our terms. Texts of the server are not repeated: they can hold values. What is wrong with the table can be
 * put right there, so no alert is given up for it; a row that breaks a rule of the table never fits.
 */
export function toFailure(cause: unknown): RetriableError | PermanentError {
  if (cause instanceof RetriableError || cause instanceof PermanentError) return cause;
  const error = serverError(cause);
  return error ? toRefusal(error) : toConnectionFailure(cause);
}

function toRefusal(cause: ServerError): RetriableError | PermanentError {
  const { code, message, column, constraint } = cause;
  if (Object.hasOwn(KNOWN, code)) {
    const [reason, text] = KNOWN[code]!;
    return new RetriableError(text, { reason, cause });
  }
  if (code === '42703') {
    const name = /column "([^"]*)"/.exec(message)?.[1] ?? '';
    return new RetriableError(`the table has no column ${JSON.stringify(name)}`, {
      reason: 'client_error',
      cause,
    });
  }
  // A CHECK is named; without a name it is the bounds of a partition, src/backend/executor/execPartition.c. The table may
  // still get the partition.
  if (code === '23514' && !constraint) {
    return new RetriableError("the table has no partition for the row's values", {
      reason: 'client_error',
      cause,
    });
  }
  // A trigger's condition may pass.
  if (code.startsWith('P0')) {
    return new RetriableError(`a trigger of the table refused the row (SQLSTATE ${code})`, {
      reason: 'client_error',
      cause,
    });
  }
  if (ABOUT_ROWS.test(code)) {
    const where = constraint ? `, constraint ${constraint}` : column ? `, column ${column}` : '';
    return new PermanentError(`the table does not take the row (SQLSTATE ${code}${where})`, {
      reason: 'payload',
      cause,
    });
  }
  return new RetriableError(`the server refused the statement (SQLSTATE ${code})`, {
    reason: 'server_error',
    cause,
  });
}

const NO_TLS = /does not support SSL|establishing an SSL/;

// What pg says without a code; node_modules/pg/lib/client.js and connection.js.
const CONNECTION_TEXTS: [RegExp, FailureReason, string][] = [
  [/timeout expired/, 'timeout', 'the server does not answer'],
  [NO_TLS, 'network', 'the server offers no TLS (see sslmode)'],
  [/Connection terminated|not queryable|was closed/, 'network', 'the connection was lost'],
  [/SASL|SCRAM|password/i, 'auth', 'the server and this client agree on no way to sign in'],
];

function toConnectionFailure(cause: unknown): RetriableError | PermanentError {
  const { code, message = '' } = (cause ?? {}) as { code?: string; message?: string };
  const known = code ? undefined : CONNECTION_TEXTS.find(([text]) => text.test(message));
  return known ? new RetriableError(known[2], { reason: known[1], cause }) : toSocketFailure(cause);
}
