/** Answers what is not taken, and has it remembered. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendEarly, sendJson, sendText } from './answer.ts';
import type { Refusals, RequestFacts } from './refusals.ts';
import { type Refused, type RefusedAlert, toRefused } from './refused.ts';
import type { SimpleSender } from './simple-request.ts';

// falcosidekick's words, which are followed by a reason here.
const BAD_BODY = 'Please send a valid request body';
// Refused alerts named in an answer.
const MOST_NAMED = 100;

export class RefusalAnswers {
  readonly #refusals: Refusals;
  /** What may be shown of a request's path. */
  readonly #shownPath: (request: IncomingMessage) => string;

  constructor(refusals: Refusals, shownPath: (request: IncomingMessage) => string) {
    this.#refusals = refusals;
    this.#shownPath = shownPath;
  }

  /** For the fast lane, which answers itself. */
  note(sender: SimpleSender, refused: Refused): void {
    this.#refusals.noteRequest(factsOf(sender), '/', refused);
  }

  /** Refuses a request whose body has not been read. */
  early(request: IncomingMessage, response: ServerResponse, refused: Refused): void {
    this.#refusals.noteRequest(request, this.#shownPath(request), refused);
    sendEarly(request, response, refused.status, `${refused.message}\n`, refused.headers);
  }

  /** Refuses a request whose body has been read. */
  late(request: IncomingMessage, response: ServerResponse, refused: Refused): void {
    this.#refusals.noteRequest(request, this.#shownPath(request), refused);
    const text = refused.status === 400 ? `${BAD_BODY}: ${refused.message}` : refused.message;
    sendText(response, refused.status, `${text}\n`, refused.headers);
  }

  /** Refuses all alerts of a request. */
  all(
    request: IncomingMessage,
    response: ServerResponse,
    refused: readonly RefusedAlert[],
    bytes: number,
  ): void {
    this.#noteAlerts(request, refused, bytes);
    const lines = refused
      .slice(1, MOST_NAMED)
      .map(({ index, message }) => `alert ${index}: ${message}\n`)
      .join('');
    const more = refused.length > MOST_NAMED ? `and ${refused.length - MOST_NAMED} more\n` : '';
    sendText(response, 400, `${BAD_BODY}: ${refused[0]!.message}\n${lines}${more}`);
  }

  /** Refuses alerts of a request of which others were taken. */
  some(
    request: IncomingMessage,
    response: ServerResponse,
    refused: readonly RefusedAlert[],
    { accepted, bytes }: { accepted: number; bytes: number },
  ): void {
    this.#noteAlerts(request, refused, bytes);
    sendJson(response, 207, {
      accepted,
      refused: refused.slice(0, MOST_NAMED),
      ...(refused.length > MOST_NAMED ? { refusedInAll: refused.length } : {}),
    });
  }

  /** A defect of ours while the answer was made. */
  broken(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    this.#refusals.noteRequest(request, this.#shownPath(request), toRefused(error, 0));
    if (response.headersSent) response.destroy();
    else sendText(response, 500, 'internal error; the log has the details\n');
  }

  #noteAlerts(request: IncomingMessage, refused: readonly RefusedAlert[], bytes: number): void {
    const { index, reason, message } = refused[0]!;
    const first = refused.length > 1 || index > 0 ? `alert ${index}: ${message}` : message;
    this.#refusals.noteRequest(
      request,
      this.#shownPath(request),
      { reason, message: first, bytes },
      refused.map(one => one.reason),
    );
  }
}

function factsOf({ socket, head }: SimpleSender): RequestFacts {
  const headers = {
    'content-length': String(head.bodyBytes),
    'user-agent': head.userAgent,
    'x-forwarded-for': head.forwardedFor,
  };
  return { method: 'POST', headers, socket };
}
