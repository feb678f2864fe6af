/**
 * Recognises requests as Falco, and every plain HTTP client, posts its alerts: a POST to / with a body of known length
 * and no header that asks for anything. What is not recognised is not judged here: node:http reads it. Pure.
 */
import type { Socket } from 'node:net';

/** What a recognised head says. */
export interface SimpleHead {
  /** With the empty line. */
  headBytes: number;
  bodyBytes: number;
  /** The sender wants to use the connection again. */
  keepAlive: boolean;
  authorization: string | undefined;
  userAgent: string | undefined;
  forwardedFor: string | undefined;
}

/** Where a recognised request comes from. */
export interface SimpleSender {
  readonly socket: Socket;
  readonly head: SimpleHead;
}

/** A longer body comes in many pieces, which node:http gathers with all its limits. */
export const MAX_SIMPLE_BODY = 64 * 1024;

/** A longer head is none that a plain client sends. */
export const MAX_SIMPLE_HEAD = 8 * 1024;

// RFC 9112: no control characters, nothing but CR LF as a line's end. Without parts that overlap: whoever sends decides
// how long it takes.
const VALUE = /^[\t\x20-\x7e]*$/;
const LENGTH = /^(?:0|[1-9]\d{0,7})$/;
const PLAIN_JSON = /^(?:application\/json|text\/plain)(?:;|$)/i;

/** @param head request line and headers with the empty line behind them, a character for each byte */
export function readSimpleHead(head: string): SimpleHead | undefined {
  const lines = head.split('\r\n');
  if (lines[0] !== 'POST / HTTP/1.1') return undefined;
  const found = new Map<string, string>();
  // Behind the last header stand the empty line and what follows its end.
  for (let index = 1; index < lines.length - 2; index++) {
    const line = lines[index]!;
    const colon = line.indexOf(':');
    if (colon < 0) return undefined;
    // No folded line and no space before the colon: what is known has neither.
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1);
    if (!KNOWN.has(name) || found.has(name) || !VALUE.test(value)) return undefined;
    found.set(name, value.trim());
  }
  const length = found.get('content-length') ?? '';
  const connection = found.get('connection')?.toLowerCase() ?? 'keep-alive';
  if (!found.has('host') || !LENGTH.test(length) || Number(length) > MAX_SIMPLE_BODY) return undefined;
  if (connection !== 'keep-alive' && connection !== 'close') return undefined;
  if (!PLAIN_JSON.test(found.get('content-type') ?? 'application/json')) return undefined;
  return {
    headBytes: head.length,
    bodyBytes: Number(length),
    keepAlive: connection === 'keep-alive',
    authorization: found.get('authorization'),
    userAgent: found.get('user-agent'),
    forwardedFor: found.get('x-forwarded-for'),
  };
}

// Those that say what to do with the request, and those that proxies and meshes add, which change nothing for it.
const KNOWN = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
  'b3',
  'forwarded',
  'traceparent',
  'tracestate',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
]);
