/** One request and its answer, between the callbacks of a connection and a promise. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Cancellation, HttpResponse } from '../contract.ts';
import { PermanentError, RetriableError } from '../errors.ts';
import { toHttpFailure } from './failures.ts';
import type { AnswerHandler, Controller } from './wire/connection.ts';

/** Kept of an answer's body, unless the request asks for more. */
const MAX_BODY_BYTES = 64 * 1024;
/** Read of an answer's body, if no more is to be kept; beyond, the connection is given up. */
const MAX_DRAIN_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

export interface ExchangeOptions {
  target: { origin: string; path: string };
  /** Names and values in turns, as sent. */
  headers: readonly string[];
  until: Cancellation;
  maxAnswerBytes?: number | undefined;
  resolve(response: HttpResponse): void;
  reject(error: Error): void;
}

/**
 * Once a status has arrived, it is the answer: a body that stalls or breaks off is cut where it ends. Taking it for a
 * failure would send an alert again and again that was accepted.
 */
export class Exchange implements AnswerHandler {
  readonly #options: ExchangeOptions;
  #controller: Controller | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** The beginning of the body; more room than is filled once it has come in several pieces. */
  #kept: Buffer = NOTHING;
  #keptBytes = 0;
  /** Read of the body, kept or not. */
  #bytes = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  get isLong(): boolean {
    return this.#options.maxAnswerBytes !== undefined;
  }

  /** Heeds the cancellation. False when it has come already: nothing is to be sent then. */
  start(): boolean {
    const { until } = this.#options;
    if (until.aborted) {
      this.fail(abortError(until));
      return false;
    }
    until.addEventListener('abort', this);
    return true;
  }

  /** Called when it is to be given up. */
  handleEvent(): void {
    const error = abortError(this.#options.until);
    if (this.#status > 0) this.#answer(true);
    else this.fail(error);
    this.#controller?.abort(error);
  }

  fail(error: Error): void {
    if (this.#settled) return;
    this.#settle();
    this.#options.reject(error);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // Aborted while it waited for a connection.
    if (this.#settled) controller.abort(abortError(this.#options.until));
  }

  onResponseStart(_controller: Controller, status: number, headers: IncomingHttpHeaders): void {
    // 103 and the like come before the answer.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    const kept = this.#options.maxAnswerBytes ?? MAX_BODY_BYTES;
    const room = kept - Math.min(this.#bytes, kept);
    if (room > 0) this.#keep(room < chunk.length ? chunk.subarray(0, room) : chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > Math.max(kept, MAX_DRAIN_BYTES)) {
      this.#answer(true);
      controller.abort(new RetriableError('the answer is too long', { reason: 'network' }));
    }
  }

  onResponseEnd(): void {
    this.#answer(this.#bytes > this.#keptBytes);
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.#status > 0) this.#answer(true);
    else this.fail(toHttpFailure(error, this.#options.target.origin));
  }

  /** Copies: the chunk is only lent. One buffer for all, as each of its own costs more than a few bytes in it. */
  #keep(chunk: Buffer): void {
    const end = this.#keptBytes + chunk.length;
    if (this.#keptBytes === 0) this.#kept = Buffer.from(chunk);
    else {
      if (end > this.#kept.length) {
        const larger = Buffer.allocUnsafe(Math.max(end, 2 * this.#keptBytes));
        this.#kept.copy(larger, 0, 0, this.#keptBytes);
        this.#kept = larger;
      }
      chunk.copy(this.#kept, this.#keptBytes);
    }
    this.#keptBytes = end;
  }

  #answer(isCut: boolean): void {
    if (this.#settled) return;
    this.#settle();
    const isFilled = this.#keptBytes === this.#kept.length;
    const body = isFilled ? this.#kept : this.#kept.subarray(0, this.#keptBytes);
    this.#options.resolve(new Answer(this.#status, this.#headers, body, isCut, this.#options));
  }

  #settle(): void {
    this.#settled = true;
    this.#options.until.removeEventListener('abort', this);
  }
}

function abortError({ reason }: Cancellation): Error {
  if (reason instanceof RetriableError || reason instanceof PermanentError) return reason;
  return new RetriableError('ended before an answer came', { reason: 'timeout', cause: reason });
}

/** Headers whose values are no secret and may well stand in an answer. */
const PLAIN = /^(accept|content-.*|user-agent|ce-.*)$/;

class Answer implements HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly isCut: boolean;
  readonly #bytes: Buffer;
  #body: string | undefined;
  readonly #sent: ExchangeOptions;

  constructor(
    status: number,
    headers: IncomingHttpHeaders,
    bytes: Buffer,
    isCut: boolean,
    sent: ExchangeOptions,
  ) {
    this.status = status;
    this.headers = headers;
    this.isCut = isCut;
    this.#bytes = bytes;
    this.#sent = sent;
  }

  /** Decoded when somebody asks for it: most outputs go by the status. */
  get body(): string {
    this.#body ??= this.#bytes.toString();
    return this.#body;
  }

  secrets(): string[] {
    const { target, headers } = this.#sent;
    const [path = '', query = ''] = target.path.split('?', 2);
    const found = [target.path, path, query, ...path.split('/').filter(part => part.length >= 8)];
    for (const value of new URLSearchParams(query).values()) found.push(value);
    for (let index = 0; index < headers.length; index += 2) {
      if (PLAIN.test(headers[index]!)) continue;
      const value = headers[index + 1]!;
      found.push(value, ...value.split(/\s+/));
      const basic = /^Basic\s+(\S+)$/i.exec(value);
      if (basic) found.push(...Buffer.from(basic[1]!, 'base64').toString().split(':'));
    }
    return found.filter(text => text.length >= 4);
  }
}
