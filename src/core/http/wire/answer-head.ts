/** Heads of HTTP/1.1 answers (RFC 9112): what they say of the answer's body and of the connection. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { WireError } from './failure.ts';

/** What a head says. Shared by the answers that have the same: not to be changed. */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** How the body is delimited; a number of bytes where its length is known. */
  readonly body: number | 'chunked' | 'rest';
  /** The connection may carry another request once the body has come. */
  readonly isReusable: boolean;
}

// A status line may end without a reason, and without the space before it.
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** A server answers alike, but for the second: its last heads need not be read again. */
const MAX_REMEMBERED = 256;
const MAX_REMEMBERED_LENGTH = 1024;
const remembered = new Map<string, AnswerHead>();

/**
 * Reads a head, a character for each byte, with its empty line.
 * @throws WireError when it is none
 */
export function readAnswerHead(text: string): AnswerHead {
  const known = remembered.get(text);
  if (known) return known;
  const head = parseHead(text);
  if (text.length <= MAX_REMEMBERED_LENGTH) {
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(text, head);
  }
  return head;
}

function parseHead(text: string): AnswerHead {
  const lines = text.split(/\r?\n/);
  const line = STATUS_LINE.exec(lines[0]!);
  if (!line) throw notHttp();
  const status = Number(line[2]);
  const headers = readHeaders(lines);
  // Nobody has asked for another protocol.
  if (status === 101) throw notHttp();
  const connection = headers.connection?.toLowerCase() ?? '';
  const isModern = line[1] === '1';
  const isPersistent = isModern ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive');
  const coding = headers['transfer-encoding']?.toLowerCase();
  const length = headers['content-length'];
  // Whoever says both, or says the one in HTTP/1.0, may mean something else by it (RFC 9112, 6.1).
  const isReusable = isPersistent && (coding === undefined || (isModern && length === undefined));
  let body: AnswerHead['body'];
  if (status < 200 || status === 204 || status === 304) body = 0;
  else if (coding !== undefined) body = /(?:^|,)[ \t]*chunked$/.test(coding) ? 'chunked' : 'rest';
  else body = length === undefined ? 'rest' : parseLength(length);
  return Object.freeze({ status, headers: Object.freeze(headers), body, isReusable });
}

/** @throws WireError */
function readHeaders(lines: readonly string[]): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders & Record<string, string | string[] | undefined> = Object.create(null);
  // Behind the last header stand the empty line and what follows its end.
  for (let index = 1; index < lines.length - 2; index++) {
    const line = lines[index]!;
    const colon = line.indexOf(':');
    if (colon < 0 || !NAME.test(line.slice(0, colon))) throw notHttp();
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const known = headers[name];
    if (known === undefined) headers[name] = name === 'set-cookie' ? [value] : value;
    else if (Array.isArray(known)) known.push(value);
    else if (name === 'content-length') {
      if (known !== value) throw notHttp();
    } else headers[name] = `${known}, ${value}`;
  }
  return headers;
}

function hasToken(list: string, token: string): boolean {
  return list === token || list.split(',').some(part => part.trim() === token);
}

/** @throws WireError */
function parseLength(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw notHttp();
  return Number(text);
}

export function notHttp(): WireError {
  return new WireError('WIRE_NOT_HTTP', 'the answer is not HTTP');
}
