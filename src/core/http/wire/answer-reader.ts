/**
 * Reads HTTP/1.1 answers from the bytes of a connection (RFC 9112), piece by piece and with limits. Pure: it is given
 * bytes and the end, and tells a sink.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { notHttp, readAnswerHead, readStatusLine } from './answer-head.ts';
import { WireError } from './failure.ts';

/** Told of an answer as it is read. Chunks are only lent for the time of the call. */
export interface AnswerSink {
  head(status: number, headers: IncomingHttpHeaders): void;
  data(chunk: Buffer): void;
  /**
   * The last call of an answer, when all bytes that came with it have been looked at.
   * @param isReusable the connection may carry another request
   */
  end(isReusable: boolean): void;
}

/** What the next bytes are. */
type Expecting = 'head' | 'sized' | 'rest' | 'chunk size' | 'chunk' | 'chunk end' | 'trailer' | 'nothing';

/** Some services send policies and cookies by the dozen; what goes on beyond this is not waited for. */
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_TRAILER_BYTES = 16 * 1024;
/** Longest line of a chunk's size, with its extensions, and of a trailer. */
const MAX_LINE_BYTES = 4 * 1024;
const LF = 0x0a;

const CHUNK_SIZE = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i;

export class AnswerReader {
  readonly #sink: AnswerSink;
  #expecting: Expecting = 'nothing';
  /** The beginning of a head or a line whose end has not come. */
  #kept: Buffer | undefined;
  /** The status line of the head that is kept has been looked at. */
  #hasStatus = false;
  /** Bytes to come of the body, or of its chunk. */
  #left = 0;
  #trailerBytes = 0;
  #isReusable = false;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** A request has been sent: its answer comes next. */
  expect(): void {
    this.#expecting = 'head';
    this.#isReusable = true;
  }

  /**
   * Takes the next bytes.
   * @throws WireError when they are no HTTP answer, or one that nobody has asked for
   */
  read(bytes: Buffer): void {
    if (this.#isOver()) throw new WireError('WIRE_NOT_HTTP', 'more came than was asked for');
    let at = 0;
    while (at < bytes.length && !this.#isOver()) {
      switch (this.#expecting) {
        case 'head':
          at = this.#readHead(bytes, at);
          break;
        case 'sized':
        case 'chunk':
          at = this.#readSized(bytes, at);
          break;
        case 'rest':
          this.#sink.data(bytes.subarray(at));
          return;
        default:
          at = this.#readLine(bytes, at);
      }
    }
    // Told last of all: it lets the next request out, and what is left over here must not be taken for its answer.
    if (this.#isOver()) this.#sink.end(this.#isReusable && at === bytes.length);
  }

  /**
   * The far side has closed.
   * @throws WireError when that is not where an answer may end
   */
  close(): void {
    if (this.#isOver()) return;
    if (this.#expecting !== 'rest') throw new WireError('WIRE_CLOSED', 'closed within an answer');
    this.#expecting = 'nothing';
    this.#sink.end(false);
  }

  #isOver(): boolean {
    return this.#expecting === 'nothing';
  }

  /** Returns where the head ends, or the end of the bytes when it goes on. */
  #readHead(bytes: Buffer, from: number): number {
    const kept = this.#kept;
    const all = kept ? Buffer.concat([kept, bytes.subarray(from)]) : bytes;
    const start = kept ? 0 : from;
    // What was kept holds no end, but perhaps all of it but the last byte.
    const end = headEnd(all, kept ? Math.max(0, kept.length - 2) : from);
    if ((end < 0 ? all.length : end) - start > MAX_HEAD_BYTES) {
      this.#breakOff(all.toString('latin1', start, start + MAX_HEAD_BYTES));
    }
    if (end < 0) {
      this.#kept = Buffer.from(all.subarray(start));
      this.#checkStatus(this.#kept);
      return bytes.length;
    }
    this.#kept = undefined;
    this.#hasStatus = false;
    this.#startBody(all.toString('latin1', start, end));
    return kept ? from + end - kept.length : end;
  }

  /** Looks at what has come of a head: the rest may never come. @throws WireError when it is none */
  #checkStatus(head: Buffer): void {
    if (this.#hasStatus) return;
    // Something else than HTTP is told from its first bytes; it may wait for us to speak, and never end its line.
    if (!'HTTP/1.'.startsWith(head.toString('latin1', 0, 7))) throw notHttp();
    const lineEnd = head.indexOf(LF);
    if (lineEnd < 0) return;
    this.#hasStatus = true;
    readStatusLine(head.toString('latin1', 0, lineEnd).replace(/\r$/, ''));
  }

  /** Tells what has come of a head that goes on for too long. @throws WireError */
  #breakOff(text: string): never {
    const lines = text.slice(0, text.lastIndexOf('\n') + 1);
    const { status, headers } = readAnswerHead(`${lines}\r\n`);
    if (status >= 200) this.#sink.head(status, headers);
    throw new WireError('WIRE_HEADERS_OVERFLOW', 'the headers are too large');
  }

  #startBody(text: string): void {
    const { status, headers, body, isReusable } = readAnswerHead(text);
    this.#isReusable &&= isReusable;
    // 100 and 103 come before the answer.
    if (status < 200) return;
    if (typeof body === 'number') {
      this.#left = body;
      this.#expecting = body === 0 ? 'nothing' : 'sized';
    } else if (body === 'rest') this.#expecting = 'rest';
    else this.#expecting = 'chunk size';
    this.#sink.head(status, headers);
    if (body === 'unknown') throw notHttp();
  }

  #readSized(bytes: Buffer, from: number): number {
    const end = Math.min(bytes.length, from + this.#left);
    this.#left -= end - from;
    this.#sink.data(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    if (this.#left > 0) return end;
    this.#expecting = this.#expecting === 'chunk' ? 'chunk end' : 'nothing';
    return end;
  }

  #readLine(bytes: Buffer, from: number): number {
    const lineEnd = bytes.indexOf(LF, from);
    const piece = bytes.subarray(from, lineEnd < 0 ? bytes.length : lineEnd);
    if ((this.#kept?.length ?? 0) + piece.length > MAX_LINE_BYTES) {
      throw new WireError('WIRE_HEADERS_OVERFLOW', 'a line of the body is too long');
    }
    const all = this.#kept ? Buffer.concat([this.#kept, piece]) : piece;
    if (lineEnd < 0) {
      this.#kept = Buffer.from(all);
      return bytes.length;
    }
    this.#kept = undefined;
    this.#takeLine(all.toString('latin1').replace(/\r$/, ''));
    return lineEnd + 1;
  }

  #takeLine(line: string): void {
    if (this.#expecting === 'chunk end') {
      if (line !== '') throw notHttp();
      this.#expecting = 'chunk size';
    } else if (this.#expecting === 'chunk size') {
      const size = CHUNK_SIZE.exec(line);
      if (!size) throw notHttp();
      this.#left = Number.parseInt(size[1]!, 16);
      this.#trailerBytes = 0;
      this.#expecting = this.#left === 0 ? 'trailer' : 'chunk';
    } else if (line === '') {
      this.#expecting = 'nothing';
    } else {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > MAX_TRAILER_BYTES) {
        throw new WireError('WIRE_HEADERS_OVERFLOW', 'the trailers are too large');
      }
    }
  }
}

/** Where the head's empty line ends, looked for from there; -1 when it has not come. A bare LF ends a line too (RFC 9112, 2.2). */
function headEnd(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}
