/** Requests → bytes (RFC 9112). Pure. */
import { WireError } from './failure.ts';

/** A request to one origin. */
export interface WireRequest {
  method: string;
  /** Request target: path and query, or the whole URL for a proxy. ASCII. */
  path: string;
  /** Names (lower case) and values in turns, a character for each byte; without `content-length` and `connection`. */
  headers: readonly string[];
  body: Buffer | string | undefined;
}

const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
const NAME = /^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_IN_PATH = /[^\x21-\x7e]/;

/**
 * Encodes a request as one piece.
 * @param host for the `Host` header, unless the request has its own
 * @throws WireError when a header or the path cannot be written
 */
export function encodeRequest({ method, path, headers, body }: WireRequest, host: string): Buffer {
  if (NOT_IN_PATH.test(path)) throw invalid('its path');
  let lines = '';
  let isHostGiven = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    const value = headers[index + 1]!;
    if (!NAME.test(name) || NOT_IN_VALUE.test(value)) throw invalid(`the header ${JSON.stringify(name)}`);
    isHostGiven ||= name === 'host';
    lines += `${name}: ${value}\r\n`;
  }
  const length = body === undefined ? 0 : Buffer.byteLength(body);
  if (length > 0 || !BODILESS.has(method)) lines += `content-length: ${length}\r\n`;
  const first = `${method} ${path} HTTP/1.1\r\n${isHostGiven ? '' : `host: ${host}\r\n`}`;
  const head = `${first}connection: keep-alive\r\n${lines}\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + length);
  bytes.write(head, 0, 'latin1');
  if (typeof body === 'string') bytes.write(body, head.length);
  else body?.copy(bytes, head.length);
  return bytes;
}

function invalid(what: string): WireError {
  return new WireError('WIRE_INVALID_REQUEST', `${what} holds a character that HTTP does not allow`);
}
