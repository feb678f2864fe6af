/** Writes answers. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const OK_HEADERS = ['Content-Length', '0'];

/** 200 without a body, as falcosidekick answers an alert. */
export function sendOk(response: ServerResponse): void {
  response.writeHead(200, OK_HEADERS);
  response.end();
}

/** A line of plain text. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, textHeaders(text, headers));
  response.end(text);
}

/** A value as JSON. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/**
 * Ends an answer, whose head tells its length, once all of it has gone out: node:http takes the connection of one that has
 * been ended for idle, and a stop would cut it off.
 */
export function endWhole(response: ServerResponse, text: string): void {
  response.write(text, () => response.end());
}

// How long, and how much of, a body that nobody wants is read.
const LINGER_MS = 2000;
const LINGER_BYTES = 64 * 2 ** 20;

/** Connections that were told that they end. */
const ending = new WeakSet<Socket>();

/** Whether the connection ends with an answer that it has got. What else has come over it can have no answer. */
export function isEnding(socket: Socket): boolean {
  return ending.has(socket);
}

/**
 * Answers a request whose body is not wanted, then closes the connection. The rest of the body is read and thrown away
 * for a while: closing with unread bytes makes TCP reset the connection, and the answer would be lost with it.
 */
export function sendEarly(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  ending.add(request.socket);
  response.writeHead(status, { ...textHeaders(text, headers), Connection: 'close' });
  if (request.complete) {
    response.end(text);
    return;
  }
  response.write(text);
  let bytes = 0;
  const finish = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(finish, LINGER_MS);
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES) finish();
  });
  request.on('end', finish);
  request.on('error', finish);
}

function textHeaders(text: string, headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return {
    ...headers,
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': Buffer.byteLength(text),
  };
}
