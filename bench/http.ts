/** As much of HTTP/1.1 as load generator and sinks need, at little cost: whole messages out of the bytes of a stream. */

/** What the head of a message says. */
export interface Head {
  /** Of an answer; 0 for a request. */
  status: number;
  /** Bytes of body; undefined when it comes in chunks. */
  bodyBytes: number | undefined;
  keepAlive: boolean;
  isGzip: boolean;
  wantsContinue: boolean;
}

const BLANK_LINE = '\r\n\r\n';
const MAX_REMEMBERED = 1000;

/** Reads a head, first line to blank line. */
export function parseHead(text: string): Head {
  const head = text.toLowerCase();
  const header = (name: string) => new RegExp(`\r\n${name}:[ \t]*([^\r]*)`).exec(head)?.[1];
  const [, minor, status] = /^http\/1\.(\d) (\d{3})/.exec(head) ?? [];
  const isChunked = header('transfer-encoding')?.includes('chunked');
  const length = header('content-length');
  // An answer without a length ends with its connection.
  const isOpenEnded = status !== undefined && !isChunked && length === undefined && status !== '204';
  return {
    status: Number(status ?? 0),
    bodyBytes: isChunked ? undefined : Number(length ?? 0),
    keepAlive: minor !== '0' && header('connection') !== 'close' && !isOpenEnded,
    isGzip: header('content-encoding') === 'gzip',
    wantsContinue: header('expect') === '100-continue',
  };
}

/** Takes the messages of one direction of a connection apart. Bodies are views of what was read: use them at once. */
export class MessageReader {
  readonly #onMessage: (head: Head, body: Buffer) => void;
  readonly #onContinue: () => void;
  readonly #heads: Map<string, Head>;
  #held: Buffer | undefined;
  #head: Head | undefined;
  #bodyAt = 0;

  /** @param heads read already; may be shared by connections */
  constructor(
    heads: Map<string, Head>,
    onMessage: (head: Head, body: Buffer) => void,
    onContinue: () => void = () => {},
  ) {
    this.#heads = heads;
    this.#onMessage = onMessage;
    this.#onContinue = onContinue;
  }

  feed(chunk: Buffer): void {
    this.#held = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    while (this.#held && this.#readOne(this.#held));
  }

  /** Whether there was a whole message. */
  #readOne(held: Buffer): boolean {
    if (!this.#head) {
      const end = held.indexOf(BLANK_LINE);
      if (end < 0) return false;
      this.#bodyAt = end + BLANK_LINE.length;
      this.#head = this.#lookUp(held.toString('latin1', 0, this.#bodyAt));
      if (this.#head.wantsContinue) this.#onContinue();
    }
    const head = this.#head;
    let end = this.#bodyAt + (head.bodyBytes ?? 0);
    let body: Buffer;
    if (head.bodyBytes === undefined) {
      const chunked = readChunks(held, this.#bodyAt);
      if (!chunked) return false;
      ({ end, body } = chunked);
    } else {
      if (held.length < end) return false;
      body = held.subarray(this.#bodyAt, end);
    }
    this.#head = undefined;
    this.#held = held.length > end ? held.subarray(end) : undefined;
    if (head.status !== 100) this.#onMessage(head, body);
    return true;
  }

  #lookUp(text: string): Head {
    let head = this.#heads.get(text);
    if (!head) {
      if (this.#heads.size >= MAX_REMEMBERED) this.#heads.clear();
      head = parseHead(text);
      this.#heads.set(text, head);
    }
    return head;
  }
}

/** A chunked body and where it ends; undefined while it is not whole. */
export function readChunks(bytes: Buffer, from: number): { body: Buffer; end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return undefined;
    // No sender here has trailers.
    if (!(size > 0)) return { body: Buffer.concat(parts), end };
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
