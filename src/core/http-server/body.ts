/** Reads the bodies of requests: whole, bounded, unpacked. */
import type { IncomingMessage } from 'node:http';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';

/** Why there is no body: it is larger than allowed, all bodies together are, or the sender went away. */
export type BodyProblem = 'too_large' | 'no_room' | 'gone';

/** Bytes of bodies on their way in, over all connections: many slow large ones must not fill the memory. */
export interface Pending {
  bytes: number;
}

/** What a body may take. */
export interface BodyLimits {
  /** Most bytes of one body. */
  bytes: number;
  /** Most bytes of all bodies on their way in. */
  pendingBytes: number;
}

/**
 * Reads a body within its limits and calls `done` once. After `too_large` and `no_room` the rest of the body is still
 * to come; reading it (or not) is the caller's business.
 */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  pending: Pending,
  done: (problem: BodyProblem | undefined, body: Buffer) => void,
): void {
  let chunks: Buffer | Buffer[] | undefined;
  let size = 0;
  let settled = false;
  const settle = (problem: BodyProblem | undefined, body: Buffer) => {
    if (settled) return;
    settled = true;
    pending.bytes -= size;
    done(problem, body);
  };
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    pending.bytes += chunk.length;
    if (size > limits.bytes || pending.bytes > limits.pendingBytes) {
      request.off('data', onData);
      chunks = undefined;
      settle(size > limits.bytes ? 'too_large' : 'no_room', EMPTY);
    } else if (chunks === undefined) {
      // An alert mostly comes in one piece, which then needs no copy.
      chunks = chunk;
    } else if (Array.isArray(chunks)) {
      chunks.push(chunk);
    } else {
      chunks = [chunks, chunk];
    }
  };
  request.on('data', onData);
  request.on('end', () =>
    settle(undefined, Array.isArray(chunks) ? Buffer.concat(chunks, size) : (chunks ?? EMPTY)),
  );
  request.on('error', () => settle('gone', EMPTY));
}

const EMPTY = Buffer.alloc(0);

/** How a body is unpacked. */
export type Encoding = 'identity' | 'gzip' | 'deflate' | 'br';

/** The encodings taken, for `Accept-Encoding`. */
export const ENCODINGS = 'gzip, deflate, br';

const NAMES = new Map<string, Encoding>([
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
]);

/** Reads a `Content-Encoding` header; undefined when it is not one of those taken. */
export function parseEncoding(header: string | undefined): Encoding | undefined {
  return header === undefined ? 'identity' : NAMES.get(header.trim().toLowerCase());
}

/** As many as zlib has threads for; each may grow to the largest body, however little was sent. */
const MAX_UNPACKING = 4;

/** Unpacks bodies, a few at a time. Those that wait count as bodies on their way in. */
export class Unpacker {
  readonly #pending: Pending;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(pending: Pending) {
    this.#pending = pending;
  }

  /** Unpacks a body to at most `limit` bytes and calls `done` once. */
  unpack(body: Buffer, encoding: Exclude<Encoding, 'identity'>, limit: number, done: Unpacked): void {
    this.#pending.bytes += body.length;
    this.#waiting.push(() =>
      unpack(body, encoding, limit, (problem, plain) => {
        this.#pending.bytes -= body.length;
        done(problem, plain);
        this.#running--;
        this.#next();
      }),
    );
    this.#next();
  }

  #next(): void {
    if (this.#running >= MAX_UNPACKING) return;
    const start = this.#waiting.shift();
    if (!start) return;
    this.#running++;
    start();
  }
}

type Unpacked = (problem: 'too_large' | 'broken' | undefined, body: Buffer) => void;

function unpack(body: Buffer, encoding: Exclude<Encoding, 'identity'>, limit: number, done: Unpacked): void {
  const finish = (error: Error | null, result: Buffer) => {
    if (!error) done(undefined, result);
    else
      done((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'broken', EMPTY);
  };
  // zlib takes no limit below one byte.
  const options = { maxOutputLength: Math.max(limit, 1) };
  if (encoding === 'gzip') gunzip(body, options, finish);
  else if (encoding === 'br') brotliDecompress(body, options, finish);
  else if (hasZlibHeader(body)) inflate(body, options, finish);
  else inflateRaw(body, options, finish);
}

// `deflate` means the zlib format (RFC 9110, 8.4.1.2), but some senders leave its header out.
function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && (body[0]! & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}
