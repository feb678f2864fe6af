/** What can go wrong between us and the far side, below HTTP's own statuses. `failures.ts` has the words for it. */
export type WireFailure =
  /** The connection was closed before the answer. */
  | 'WIRE_CLOSED'
  | 'WIRE_CONNECT_TIMEOUT'
  | 'WIRE_BODY_TIMEOUT'
  /** What came is no HTTP/1 answer. */
  | 'WIRE_NOT_HTTP'
  | 'WIRE_HEADERS_OVERFLOW'
  /** The request itself cannot be written. */
  | 'WIRE_INVALID_REQUEST';

export class WireError extends Error {
  readonly code: WireFailure;

  constructor(code: WireFailure, message: string) {
    super(message);
    this.name = 'WireError';
    this.code = code;
  }
}
