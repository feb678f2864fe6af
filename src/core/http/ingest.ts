/** Takes posted alerts: body → alerts → backend → answer. The hot path: no promise or closure that is not needed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AlertDraft } from '../alert.ts';
import type { ServerConfig } from '../config/types.ts';
import { parseAlerts } from '../parse.ts';
import { SpoolFaultError, SpoolFullError } from '../spool/contract.ts';
import { sendEarly, sendJson, sendOk, sendText } from './answer.ts';
import type { Auth } from './auth.ts';
import type { Backend, IngestObserver, RequestRefusal } from './backend.ts';
import { ENCODINGS, type Encoding, type Pending, parseEncoding, readBody, unpack } from './body.ts';
import { type Incoming, readAlerts } from './cloudevents.ts';
import type { Refusals, RequestFacts } from './refusals.ts';
import type { SimpleHead, SimpleSender } from './simple-request.ts';

/** What can change while the server runs. */
export interface Settings {
  config: ServerConfig;
  auth: Auth;
}

/** A refusal and how it is answered. */
interface Refused {
  status: number;
  reason: RequestRefusal;
  message: string;
  headers?: Record<string, string>;
  bytes?: number;
  error?: unknown;
}

// falcosidekick's words, which are followed by a reason here.
const BAD_BODY = 'Please send a valid request body';
const RETRY_SOON = { 'Retry-After': '1' };

const OVERLOADED = {
  status: 503,
  reason: 'overloaded',
  message: 'too many alerts at once; try again in a moment',
  headers: RETRY_SOON,
} as const;
const RETRY_LATER = { 'Retry-After': '5' };
// Refused alerts named in an answer.
const MOST_NAMED = 100;

export class Ingest {
  readonly #backend: Backend;
  readonly #observer: IngestObserver;
  readonly #refusals: Refusals;
  readonly #settings: Settings;
  /** What may be shown of a request's path. */
  readonly #shownPath: (request: IncomingMessage) => string;
  #inFlight = 0;
  readonly #pending: Pending = { bytes: 0 };

  constructor(options: {
    backend: Backend;
    observer: IngestObserver;
    refusals: Refusals;
    settings: Settings;
    shownPath: (request: IncomingMessage) => string;
  }) {
    this.#backend = options.backend;
    this.#observer = options.observer;
    this.#refusals = options.refusals;
    this.#settings = options.settings;
    this.#shownPath = options.shownPath;
  }

  /**
   * Takes a POST. Never throws.
   * @param expectsContinue the sender waits for `100 Continue` before it sends the body
   */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { config, auth } = this.#settings;
    const encoding = parseEncoding(request.headers['content-encoding']);
    if (!auth.allows(request)) {
      this.#refuseEarly(request, response, {
        status: 401,
        reason: 'unauthorized',
        message: 'missing or wrong credentials',
        headers: { 'WWW-Authenticate': auth.challenge },
      });
    } else if (this.#inFlight >= config.maxInFlight) {
      this.#refuseEarly(request, response, OVERLOADED);
    } else if (encoding === undefined) {
      this.#refuseEarly(request, response, {
        status: 415,
        reason: 'encoding',
        message: `the Content-Encoding is not understood; send the body plain or as one of ${ENCODINGS}`,
        headers: { 'Accept-Encoding': ENCODINGS },
      });
    } else if (Number(request.headers['content-length']) > config.maxBodyBytes) {
      this.#refuseEarly(request, response, tooLarge(config.maxBodyBytes));
    } else {
      if (expectsContinue) response.writeContinue();
      this.#inFlight++;
      this.#read(request, response, encoding);
    }
  }

  /** For the fast lane: whether a request may be taken as far as its head goes. */
  admits({ bodyBytes, authorization }: SimpleHead): boolean {
    const { config, auth } = this.#settings;
    const hasRoom = this.#inFlight < config.maxInFlight && bodyBytes <= config.maxBodyBytes;
    return hasRoom && auth.admits(authorization);
  }

  /**
   * For the fast lane: takes a plain body if there is nothing in it to refuse; otherwise false, and nothing has happened.
   * Never throws. `answer` is called once, later: with nothing when the alerts are safe.
   */
  offer(body: string, sender: SimpleSender, answer: (refused?: Refused) => void): boolean {
    const drafts: AlertDraft[] = [];
    try {
      for (const { draft } of parseAlerts(body)) {
        if (!draft) return false;
        drafts.push(draft);
      }
    } catch {
      return false;
    }
    this.#inFlight++;
    void this.#takeOffered(drafts, sender, answer);
    return true;
  }

  async #takeOffered(
    drafts: readonly AlertDraft[],
    sender: SimpleSender,
    answer: (refused?: Refused) => void,
  ): Promise<void> {
    let refused: Refused | undefined;
    try {
      await this.#backend.take(drafts);
      this.#observer.accepted(drafts.length);
    } catch (error) {
      // Later, even if the backend has thrown at once.
      await undefined;
      refused = failure(error, sender.head.bodyBytes);
      this.#refusals.noteRequest(factsOf(sender), '/', refused);
    } finally {
      this.#inFlight--;
    }
    answer(refused);
  }

  #read(request: IncomingMessage, response: ServerResponse, encoding: Encoding): void {
    const { maxBodyBytes: limit, maxPendingBytes } = this.#settings.config;
    readBody(request, { bytes: limit, pendingBytes: maxPendingBytes }, this.#pending, (problem, body) => {
      if (problem === 'gone') {
        this.#inFlight--;
      } else if (problem === 'too_large') {
        this.#inFlight--;
        this.#refuseEarly(request, response, tooLarge(limit));
      } else if (problem === 'no_room') {
        this.#inFlight--;
        this.#refuseEarly(request, response, OVERLOADED);
      } else if (encoding === 'identity') {
        this.#accept(request, response, body);
      } else {
        unpack(body, encoding, limit, (trouble, plain) => {
          if (trouble === undefined) this.#accept(request, response, plain);
          else if (trouble === 'too_large') this.#refuse(request, response, tooLarge(limit));
          else {
            const message = `the body is not what its Content-Encoding (${encoding}) says`;
            this.#refuse(request, response, { status: 400, reason: 'encoding', message, bytes: body.length });
          }
        });
      }
    });
  }

  #accept(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    let incoming: Incoming[];
    try {
      incoming = readAlerts(request.headers, body.toString());
    } catch (error) {
      this.#refuse(request, response, failure(error, body.length));
      return;
    }
    const only = incoming.length === 1 ? incoming[0]! : undefined;
    const drafts = only?.draft ? [only.draft] : draftsOf(incoming);
    if (drafts.length > 0) this.#take(request, response, drafts, incoming, body.length);
    else this.#finish(request, response, () => this.#answerNone(request, response, incoming, body.length));
  }

  /** Takes the alert of `/test` through the same door. */
  takeTest(request: IncomingMessage, response: ServerResponse, draft: AlertDraft): void {
    this.#inFlight++;
    this.#take(request, response, [draft], [{ draft }], 0);
  }

  #take(
    request: IncomingMessage,
    response: ServerResponse,
    drafts: readonly AlertDraft[],
    incoming: readonly Incoming[],
    bytes: number,
  ): void {
    let taken: Promise<void>;
    try {
      taken = this.#backend.take(drafts);
    } catch (error) {
      this.#refuse(request, response, failure(error, bytes));
      return;
    }
    taken.then(
      () => this.#finish(request, response, () => this.#taken(request, response, incoming, drafts, bytes)),
      error => this.#refuse(request, response, failure(error, bytes)),
    );
  }

  // Every request that was counted ends here, once. A defect of ours costs its request, never the process.
  #finish(request: IncomingMessage, response: ServerResponse, answer: () => void): void {
    this.#inFlight--;
    try {
      answer();
    } catch (error) {
      this.#refusals.noteRequest(request, this.#shownPath(request), failure(error, 0));
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'internal error; the log has the details\n');
    }
  }

  #taken(
    request: IncomingMessage,
    response: ServerResponse,
    incoming: readonly Incoming[],
    drafts: readonly AlertDraft[],
    bytes: number,
  ): void {
    this.#observer.accepted(drafts.length);
    if (drafts.length === incoming.length) {
      sendOk(response);
      return;
    }
    const refused = refusedOf(incoming);
    this.#noteAlerts(request, refused, bytes);
    sendJson(response, 207, {
      accepted: drafts.length,
      refused: refused.slice(0, MOST_NAMED),
      ...(refused.length > MOST_NAMED ? { refusedInAll: refused.length } : {}),
    });
  }

  #answerNone(
    request: IncomingMessage,
    response: ServerResponse,
    incoming: readonly Incoming[],
    bytes: number,
  ): void {
    const refused = refusedOf(incoming);
    this.#noteAlerts(request, refused, bytes);
    const lines = refused
      .slice(1, MOST_NAMED)
      .map(({ index, message }) => `alert ${index}: ${message}\n`)
      .join('');
    const more = refused.length > MOST_NAMED ? `and ${refused.length - MOST_NAMED} more\n` : '';
    sendText(response, 400, `${BAD_BODY}: ${refused[0]!.message}\n${lines}${more}`);
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

  /** Refuses a request whose body has been read. */
  #refuse(request: IncomingMessage, response: ServerResponse, refused: Refused): void {
    this.#finish(request, response, () => {
      this.#refusals.noteRequest(request, this.#shownPath(request), refused);
      const text = refused.status === 400 ? `${BAD_BODY}: ${refused.message}` : refused.message;
      sendText(response, refused.status, `${text}\n`, refused.headers);
    });
  }

  /** Refuses a request whose body has not been read. */
  #refuseEarly(request: IncomingMessage, response: ServerResponse, refused: Refused): void {
    this.#refusals.noteRequest(request, this.#shownPath(request), refused);
    sendEarly(request, response, refused.status, `${refused.message}\n`, refused.headers);
  }
}

interface RefusedAlert {
  index: number;
  reason: RequestRefusal;
  message: string;
}

function factsOf({ socket, head }: SimpleSender): RequestFacts {
  const headers = {
    'content-length': String(head.bodyBytes),
    'user-agent': head.userAgent,
    'x-forwarded-for': head.forwardedFor,
  };
  return { method: 'POST', headers, socket };
}

function draftsOf(incoming: readonly Incoming[]): AlertDraft[] {
  const drafts: AlertDraft[] = [];
  for (const { draft } of incoming) if (draft) drafts.push(draft);
  return drafts;
}

function refusedOf(incoming: readonly Incoming[]): RefusedAlert[] {
  const refused: RefusedAlert[] = [];
  incoming.forEach(({ refusal }, index) => {
    if (refusal) refused.push({ index, ...refusal });
  });
  return refused;
}

function tooLarge(limit: number): Refused {
  return { status: 413, reason: 'too_large', message: `the body is larger than ${limit} bytes` };
}

function failure(error: unknown, bytes: number): Refused {
  if (error instanceof SpoolFullError) {
    const message = 'the spool is full; try again later';
    return { status: 503, reason: 'spool_full', message, headers: RETRY_LATER, bytes };
  }
  if (error instanceof SpoolFaultError) {
    // The alert goes out from memory while there is room, so asking to send it again would double it.
    const message = 'the spool cannot write to its disk: the alert is kept in memory only';
    return { status: 503, reason: 'spool_fault', message, bytes };
  }
  return {
    status: 500,
    reason: 'internal',
    message: 'internal error; the log has the details',
    bytes,
    error,
  };
}
