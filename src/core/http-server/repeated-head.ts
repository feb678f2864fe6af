/** Recognises the head that a sender repeats with each request, but for the length of the body, without reading it. Pure. */
import { MAX_SIMPLE_BODY, type SimpleHead } from './simple-request.ts';

const LENGTH = /\r\ncontent-length:[\t ]*/i;
const [ZERO, NINE] = [0x30, 0x39];

/** The head that a connection's last request had. */
export class RepeatedHead {
  readonly #bytes: Uint8Array;
  /** Where the digits of the length are. */
  readonly #digitsStart: number;
  readonly #digitsEnd: number;
  readonly #head: SimpleHead;

  /**
   * @param text what the head was read from, a character for each byte
   * @param head what it says
   */
  constructor(text: string, head: SimpleHead) {
    this.#bytes = Buffer.from(text, 'latin1');
    const length = LENGTH.exec(text)!;
    this.#digitsStart = length.index + length[0].length;
    this.#digitsEnd = this.#digitsStart + String(head.bodyBytes).length;
    this.#head = head;
  }

  /** The head at the beginning of the bytes, if it is this one with any length; undefined means nothing. */
  read(bytes: Uint8Array): SimpleHead | undefined {
    const known = this.#bytes;
    const start = this.#digitsStart;
    let at = 0;
    for (; at < start; at++) if (bytes[at] !== known[at]) return undefined;
    let bodyBytes = 0;
    for (let byte = bytes[at]!; byte >= ZERO && byte <= NINE; byte = bytes[++at]!) {
      bodyBytes = bodyBytes * 10 + byte - ZERO;
    }
    const digits = at - start;
    const hasLeadingZero = digits > 1 && bytes[start] === ZERO;
    if (digits === 0 || hasLeadingZero || bodyBytes > MAX_SIMPLE_BODY) return undefined;
    for (let index = this.#digitsEnd; index < known.length; index++, at++) {
      if (bytes[at] !== known[index]) return undefined;
    }
    return { ...this.#head, headBytes: at, bodyBytes };
  }
}
