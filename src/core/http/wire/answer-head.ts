/**
 * Heads of HTTP/1.1 answers (RFC 9112): what they say of the answer's body and of the connection. Pure. Only a status
 * line that is none makes a head unreadable: who has said a status has answered. Odd lines below it cost the connection.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { WireError } from './failure.ts';

/** What a head says. Shared by the answers that have the same: not to be changed. */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** How the body is delimited; a number of bytes where its length is known. */
  readonly body: number | 'chunked' | 'rest' | 'unknown';
  /** The connection may carry another request once the body has come. */
  readonly isReusable: boolean;
}

// A status line may end without a reason, and without the space before it.
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const LENGTH = /^\d{1,15}$/;
/** Characters that no head may hold; a carriage return that ends no line. */
const ODD = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)/;
const FRAMING = /^(?:connection|content-length|transfer-encoding)[\t ]*:/i;

/** A server answers alike, but for the second: its last heads need not be read again. */
const MAX_REMEMBERED = 256;
const MAX_REMEMBERED_LENGTH = 1024;
const remembered = new Map<string, AnswerHead>();

/**
 * Reads a head, a character for each byte, with its empty line.
 * @throws WireError when its status line is none
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

/**
 * Reads a status line, without its end.
 * @throws WireError when it is none
 */
export function readStatusLine(line: string): { status: number; isModern: boolean } {
  const found = STATUS_LINE.exec(line);
  const status = Number(found?.[2]);
  // Nobody has asked for another protocol.
  if (!found || status === 101) throw notHttp();
  return { status, isModern: found[1] === '1' };
}

function parseHead(text: string): AnswerHead {
  const lines = text.split(/\r?\n/);
  const { status, isModern } = readStatusLine(lines[0]!);
  const { headers, isOdd } = readHeaders(lines);
  const connection = headers.connection?.toLowerCase() ?? '';
  const isPersistent = isModern ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive');
  const coding = headers['transfer-encoding']?.toLowerCase();
  const length = headers['content-length'];
  let isReusable = isPersistent && !isOdd && !ODD.test(text);
  // Whoever says both, or says the one in HTTP/1.0, may mean something else by it (RFC 9112, 6.1).
  if (coding !== undefined && (!isModern || length !== undefined)) isReusable = false;
  let body: AnswerHead['body'];
  if (status === 304) body = 0;
  else if (status < 200 || status === 204) {
    body = 0;
    // Whoever announces a body here may send one (RFC 9110, 8.6).
    if (coding !== undefined || Number(length ?? 0) !== 0) isReusable = false;
  } else if (coding !== undefined) body = /(?:^|,)[ \t]*chunked$/.test(coding) ? 'chunked' : 'rest';
  else if (length === undefined) body = 'rest';
  else body = LENGTH.test(length) ? Number(length) : 'unknown';
  return Object.freeze({ status, headers: Object.freeze(headers), body, isReusable });
}

/** The headers that can be read; `isOdd` when another reader might make something else of their lines. */
function readHeaders(lines: readonly string[]): { headers: IncomingHttpHeaders; isOdd: boolean } {
  const headers: IncomingHttpHeaders & Record<string, string | string[] | undefined> = Object.create(null);
  let isOdd = false;
  // Behind the last header stand the empty line and what follows its end.
  for (let index = 1; index < lines.length - 2; index++) {
    let line = lines[index]!;
    while (isFolded(lines[index + 1]!)) {
      const more = lines[++index]!.trim();
      // Whoever does not know folds would take these for headers, or for the end of them.
      isOdd ||= more === '' || more.includes(':') || FRAMING.test(line);
      // RFC 9112, 5.2.
      line = `${line.trimEnd()} ${more}`;
    }
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trimEnd().toLowerCase();
    isOdd ||= name.length !== colon;
    if (NAME.test(name)) add(headers, name, line.slice(colon + 1).trim());
    else isOdd = true;
  }
  return { headers, isOdd };
}

function isFolded(line: string): boolean {
  return line.startsWith(' ') || line.startsWith('\t');
}

function add(headers: Record<string, string | string[] | undefined>, name: string, value: string): void {
  const known = headers[name];
  if (known === undefined) headers[name] = name === 'set-cookie' ? [value] : value;
  else if (Array.isArray(known)) known.push(value);
  // A date holds a comma: joined, several could not be told apart.
  else if (name === 'retry-after' || name === 'date') headers[name] = [known, value];
  else if (name !== 'content-length' || known !== value) headers[name] = `${known}, ${value}`;
}

function hasToken(list: string, token: string): boolean {
  return list === token || list.split(',').some(part => part.trim() === token);
}

export function notHttp(): WireError {
  return new WireError('WIRE_NOT_HTTP', 'the answer is not HTTP');
}
