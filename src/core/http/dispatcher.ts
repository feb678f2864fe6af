import type { AnswerHandler } from './wire/connection.ts';
import type { WireRequest } from './wire/request.ts';

/** Sends requests to one origin. */
export interface HttpDispatcher {
  /** @throws WireError and others that `toHttpFailure` knows, when the request cannot be sent at all */
  dispatch(request: WireRequest, handler: AnswerHandler): void;
  /** Lets what is under way end. */
  close(): void;
  destroy(): void;
}
