/** Requests → bytes (RFC 9112). */
import { toRawUtf8 } from '../../raw-utf8.ts';
import { WireError } from './failure.ts';

/** A request to one origin. */
export interface WireRequest {
  method: string;
  /** Request target: path and query, or the whole URL for a proxy. ASCII. */
  path: string;
  /** Names (lower case) and values in turns; without `content-length` and `connection`. Values go out as raw UTF-8. */
  headers: readonly string[];
  body: Buffer | string | undefined;
}

const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
const NAME = /^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_IN_PATH = /[^\x21-\x7e]/;

/** Encodes the requests to one host. Most are like the one before, but for the body: its head is not made again. */
export class RequestEncoder {
  readonly #host: string;
  #last: { request: WireRequest; opening: string } | undefined;

  /** @param host for the `Host` header of requests without one of their own */
  constructor(host: string) {
    this.#host = host;
  }

  /**
   * A request as one piece; as text in Latin-1 where that is what is sent, which costs less than bytes of it.
   * @throws WireError when a header or the path cannot be written
   */
  encode(request: WireRequest): Buffer | string {
    const { method, body } = request;
    const length = body === undefined ? 0 : Buffer.byteLength(body);
    const isSized = length > 0 || !BODILESS.has(method);
    const head = `${this.#openingOf(request)}${isSized ? `content-length: ${length}\r\n` : ''}\r\n`;
    // As long in UTF-8: it is ASCII, and so the same in Latin-1.
    if (typeof body === 'string' && body.length === length) return head + body;
    const bytes = Buffer.allocUnsafe(head.length + length);
    bytes.write(head, 0, 'latin1');
    if (typeof body === 'string') bytes.write(body, head.length);
    else body?.copy(bytes, head.length);
    return bytes;
  }

  #openingOf(request: WireRequest): string {
    if (this.#last && isAlike(this.#last.request, request)) return this.#last.opening;
    const opening = openingOf(request, this.#host);
    this.#last = { request: { ...request, body: undefined }, opening };
    return opening;
  }
}

function isAlike(one: WireRequest, other: WireRequest): boolean {
  const { headers } = one;
  if (one.method !== other.method || one.path !== other.path) return false;
  if (headers.length !== other.headers.length) return false;
  for (let index = 0; index < headers.length; index++) {
    if (headers[index] !== other.headers[index]) return false;
  }
  return true;
}

/** All of a request's head before the length of its body. @throws WireError */
function openingOf({ method, path, headers }: WireRequest, host: string): string {
  if (NOT_IN_PATH.test(path)) throw invalid('its path');
  let lines = '';
  let isHostGiven = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    const value = toRawUtf8(headers[index + 1]!);
    if (!NAME.test(name) || NOT_IN_VALUE.test(value)) throw invalid(`the header ${JSON.stringify(name)}`);
    isHostGiven ||= name === 'host';
    lines += `${name}: ${value}\r\n`;
  }
  const first = `${method} ${path} HTTP/1.1\r\n${isHostGiven ? '' : `host: ${host}\r\n`}`;
  return `${first}connection: keep-alive\r\n${lines}`;
}

function invalid(what: string): WireError {
  return new WireError('WIRE_INVALID_REQUEST', `${what} holds a character that HTTP does not allow`);
}
