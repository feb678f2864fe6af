/** Requests for which no connection is free. */
import type { AnswerHandler, Controller } from './connection.ts';

/** A request that waits for a connection, and can be taken back. */
export class Waiting implements Controller {
  readonly request: Buffer | string;
  readonly handler: AnswerHandler;
  /** How many have waited up to this one. */
  readonly number: number;
  /** False when it does not wait any more. */
  readonly #leave: (waiting: Waiting) => boolean;

  constructor(
    request: Buffer | string,
    handler: AnswerHandler,
    number: number,
    leave: (waiting: Waiting) => boolean,
  ) {
    this.request = request;
    this.handler = handler;
    this.number = number;
    this.#leave = leave;
  }

  abort(reason: Error): void {
    if (this.#leave(this)) this.handler.onResponseError(this, reason);
  }
}
