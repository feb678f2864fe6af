/**
 * Recognises requests as Falco, and every plain HTTP client, posts its alerts: a POST to / with a body of known length
 * and no header that asks for anything. What is not recognised is not judged here: node:http reads it. Pure.
 */

/** What a recognised head says. */
export interface SimpleHead {
  bodyBytes: number;
  /** The sender wants to use the connection again. */
  keepAlive: boolean;
  authorization: string | undefined;
  userAgent: string | undefined;
}

/** A longer body comes in many pieces, which node:http gathers with all its limits. */
export const MAX_SIMPLE_BODY = 64 * 1024;

// RFC 9112: no space before the colon, no folded lines, no control characters, nothing but CR LF as a line's end.
const HEADER = /^([a-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?[ \t]*$/i;
const LENGTH = /^(?:0|[1-9]\d{0,7})$/;
const PLAIN_JSON = /^(?:application\/json|text\/plain)(?:;|$)/i;

/** @param head request line and headers with the empty line behind them, a character for each byte */
export function readSimpleHead(head: string): SimpleHead | undefined {
  const lines = head.split('\r\n');
  if (lines[0] !== 'POST / HTTP/1.1') return undefined;
  const found = new Map<string, string>();
  // Behind the last header stand the empty line and what follows its end.
  for (let index = 1; index < lines.length - 2; index++) {
    const match = HEADER.exec(lines[index]!);
    if (!match) return undefined;
    const name = match[1]!.toLowerCase();
    if (found.has(name) || !KNOWN.has(name)) return undefined;
    found.set(name, match[2] ?? '');
  }
  const length = found.get('content-length') ?? '';
  const connection = found.get('connection')?.toLowerCase() ?? 'keep-alive';
  if (!found.has('host') || !LENGTH.test(length) || Number(length) > MAX_SIMPLE_BODY) return undefined;
  if (connection !== 'keep-alive' && connection !== 'close') return undefined;
  if (!PLAIN_JSON.test(found.get('content-type') ?? 'application/json')) return undefined;
  return {
    bodyBytes: Number(length),
    keepAlive: connection === 'keep-alive',
    authorization: found.get('authorization'),
    userAgent: found.get('user-agent'),
  };
}

const KNOWN = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
]);
