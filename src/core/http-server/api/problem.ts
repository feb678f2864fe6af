/** Errors of the API as problem+json (RFC 9457). */
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from '../../contract.ts';
import { ConfigError, formatProblem } from '../../errors.ts';
import { SpoolFaultError } from '../../spool/contract.ts';

/** When to ask again for what is on a server that is away, in seconds. */
const ASK_AGAIN_S = '5';

/** Thrown by a handler of the API; becomes the answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  /** @param message a sentence for whoever asked */
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  413: 'Too large',
  415: 'Unsupported encoding',
  422: 'Configuration refused',
  500: 'Internal error',
  503: 'Not now',
};

/** Answers with a problem; `extra` are further members of it. */
export function sendProblem(
  response: Response,
  status: number,
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
): void {
  response
    .status(status)
    .set('Content-Type', 'application/problem+json')
    .send(
      JSON.stringify({ type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail, ...extra }),
    );
}

/** The last handler of the API: turns what was thrown into an answer. */
export function problemHandler(log: Logger) {
  return (error: unknown, _request: Request, response: Response, next: NextFunction): void => {
    const isAway = error instanceof SpoolFaultError;
    if (isAway) log.warn({ error: error.message }, 'API: a request had no answer from the log');
    if (response.headersSent) {
      // Cut off, so that nobody takes the piece that was sent for the whole.
      if (isAway) response.destroy();
      else next(error);
      return;
    }
    if (isAway) {
      sendProblem(response.set('Retry-After', ASK_AGAIN_S), 503, error.message);
    } else if (error instanceof ApiError) {
      sendProblem(response.set({ ...error.headers }), error.status, error.message);
    } else if (error instanceof ConfigError) {
      const problems = error.problems.map(problem => ({ ...problem, text: formatProblem(problem) }));
      sendProblem(response, 422, 'the new configuration is refused; the old one stays', { problems });
    } else if (isClientError(error)) {
      // From express: a body that is no JSON, too large, or packed in an unknown way; a path with a broken escape.
      sendProblem(response, error.status, CLIENT_ERRORS[error.status] ?? 'the request cannot be read');
    } else {
      log.error({ err: error }, 'API: unexpected error');
      sendProblem(response, 500, 'internal error; the log has the details');
    }
  };
}

const CLIENT_ERRORS: Record<number, string> = {
  400: 'the body is not a JSON object',
  413: 'the body is too large',
  415: 'the encoding of the body is not understood',
};

function isClientError(error: unknown): error is { status: number } {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === 'number' && status >= 400 && status < 500;
}
