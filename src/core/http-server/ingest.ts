/** Takes posted alerts: body → alerts → backend → answer. The hot path: no promise or closure that is not needed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AlertDraft } from '../alert/alert.ts';
import { parseAlerts } from '../alert/parse.ts';
import type { ServerConfig } from '../config/types.ts';
import { sendOk } from './answer.ts';
import type { Auth } from './auth.ts';
import type { Backend, IngestObserver } from './backend.ts';
import { type Encoding, type Pending, parseEncoding, readBody, Unpacker } from './body.ts';
import { type Incoming, readAlerts } from './cloudevents.ts';
import { RefusalAnswers } from './refusal-answers.ts';
import type { Refusals } from './refusals.ts';
import {
  OVERLOADED,
  type Refused,
  refusedOf,
  tooLarge,
  toRefused,
  UNKNOWN_ENCODING,
  unauthorized,
  wronglyEncoded,
} from './refused.ts';
import type { SimpleHead, SimpleSender } from './simple-request.ts';

/** What can change while the server runs. */
export interface Settings {
  config: ServerConfig;
  auth: Auth;
}

export class Ingest {
  readonly #backend: Backend;
  readonly #observer: IngestObserver;
  readonly #answers: RefusalAnswers;
  readonly #settings: Settings;
  #inFlight = 0;
  readonly #pending: Pending = { bytes: 0 };
  readonly #unpacker = new Unpacker(this.#pending);

  constructor(options: {
    backend: Backend;
    observer: IngestObserver;
    refusals: Refusals;
    settings: Settings;
    /** What may be shown of a request's path. */
    shownPath: (request: IncomingMessage) => string;
  }) {
    this.#backend = options.backend;
    this.#observer = options.observer;
    this.#answers = new RefusalAnswers(options.refusals, options.shownPath);
    this.#settings = options.settings;
  }

  /**
   * Takes a POST. Never throws.
   * @param expectsContinue the sender waits for `100 Continue` before it sends the body
   */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { config, auth } = this.#settings;
    const encoding = parseEncoding(request.headers['content-encoding']);
    if (!auth.allows(request)) {
      this.#answers.early(request, response, unauthorized(auth.challenge));
    } else if (this.#inFlight >= config.maxInFlight) {
      this.#answers.early(request, response, OVERLOADED);
    } else if (encoding === undefined) {
      this.#answers.early(request, response, UNKNOWN_ENCODING);
    } else if (Number(request.headers['content-length']) > config.maxBodyBytes) {
      this.#answers.early(request, response, tooLarge(config.maxBodyBytes));
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
   * Never throws. `answer` is called once, before this returns or later: with nothing when the alerts are safe.
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
    let taken: Promise<void> | undefined;
    try {
      taken = this.#backend.take(drafts);
    } catch (error) {
      taken = Promise.reject(error);
    }
    if (taken) {
      void this.#answerLater(taken, drafts.length, sender, answer);
      return true;
    }
    this.#observer.accepted(drafts.length);
    this.#inFlight--;
    answer();
    return true;
  }

  /** For the fast lane: counts bytes on their way in, or no longer. False when there is no room for more. */
  hold(bytes: number): boolean {
    this.#pending.bytes += bytes;
    return this.#pending.bytes <= this.#settings.config.maxPendingBytes;
  }

  async #answerLater(
    taken: Promise<void>,
    alerts: number,
    sender: SimpleSender,
    answer: (refused?: Refused) => void,
  ): Promise<void> {
    let refused: Refused | undefined;
    try {
      await taken;
      this.#observer.accepted(alerts);
    } catch (error) {
      refused = toRefused(error, sender.head.bodyBytes);
      this.#answers.note(sender, refused);
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
        this.#answers.early(request, response, tooLarge(limit));
      } else if (problem === 'no_room') {
        this.#inFlight--;
        this.#answers.early(request, response, OVERLOADED);
      } else if (encoding === 'identity') {
        this.#accept(request, response, body);
      } else {
        this.#unpacker.unpack(body, encoding, limit, (trouble, plain) => {
          if (trouble === undefined) this.#accept(request, response, plain);
          else if (trouble === 'too_large') this.#refuse(request, response, tooLarge(limit));
          else this.#refuse(request, response, wronglyEncoded(encoding, body.length));
        });
      }
    });
  }

  #accept(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    let incoming: Incoming[];
    try {
      incoming = readAlerts(request.headers, body.toString());
    } catch (error) {
      this.#refuse(request, response, toRefused(error, body.length));
      return;
    }
    const only = incoming.length === 1 ? incoming[0]! : undefined;
    const drafts = only?.draft ? [only.draft] : draftsOf(incoming);
    if (drafts.length > 0) {
      this.#take(request, response, drafts, incoming, body.length);
      return;
    }
    const refused = refusedOf(incoming);
    this.#finish(request, response, () => this.#answers.all(request, response, refused, body.length));
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
    let taken: Promise<void> | undefined;
    try {
      taken = this.#backend.take(drafts);
    } catch (error) {
      this.#refuse(request, response, toRefused(error, bytes));
      return;
    }
    Promise.resolve(taken).then(
      () => this.#finish(request, response, () => this.#taken(request, response, incoming, drafts, bytes)),
      error => this.#refuse(request, response, toRefused(error, bytes)),
    );
  }

  // Every request that was counted ends here, once. A defect of ours costs its request, never the process.
  #finish(request: IncomingMessage, response: ServerResponse, answer: () => void): void {
    this.#inFlight--;
    try {
      answer();
    } catch (error) {
      this.#answers.broken(request, response, error);
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
    const accepted = drafts.length;
    this.#answers.some(request, response, refusedOf(incoming), { accepted, bytes });
  }

  /** Refuses a request that was counted. */
  #refuse(request: IncomingMessage, response: ServerResponse, refused: Refused): void {
    this.#finish(request, response, () => this.#answers.late(request, response, refused));
  }
}

function draftsOf(incoming: readonly Incoming[]): AlertDraft[] {
  const drafts: AlertDraft[] = [];
  for (const { draft } of incoming) if (draft) drafts.push(draft);
  return drafts;
}
