/** Reads what a socket brings in pieces that are asked for, and leaves the rest to whoever comes next. */
import type { Socket } from 'node:net';
import { WireError } from './wire/failure.ts';

const LF = 0x0a;

export class SocketReader {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** @throws what the socket fails with; WireError when it is closed before */
  async take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) await this.#more();
    return this.#cut(length, length);
  }

  /**
   * A line without its end, a character for each byte.
   * @throws as `take` does; WireError when it is longer than `max`
   */
  async line(max: number): Promise<string> {
    for (;;) {
      const end = this.#bytes.indexOf(LF);
      if ((end < 0 ? this.#bytes.length : end) > max) {
        throw new WireError('WIRE_HEADERS_OVERFLOW', 'the headers are too large');
      }
      if (end >= 0)
        return this.#cut(end, end + 1)
          .toString('latin1')
          .replace(/\r$/, '');
      await this.#more();
    }
  }

  /** Puts back what was not asked for. */
  release(): void {
    if (this.#bytes.length > 0) this.#socket.unshift(this.#bytes);
    this.#bytes = Buffer.alloc(0);
  }

  #cut(end: number, next: number): Buffer {
    const piece = this.#bytes.subarray(0, end);
    this.#bytes = this.#bytes.subarray(next);
    return piece;
  }

  async #more(): Promise<void> {
    const bytes = this.#socket.read() as Buffer | null;
    if (bytes) this.#bytes = Buffer.concat([this.#bytes, bytes]);
    else await this.#readable();
  }

  #readable(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const events = ['readable', 'error', 'end', 'close'];
      const settle = () => {
        for (const event of events) socket.off(event, settle);
        if (socket.readable && !socket.errored) resolve();
        else reject(socket.errored ?? new WireError('WIRE_CLOSED', 'closed by the far side'));
      };
      for (const event of events) socket.on(event, settle);
      if (!socket.readable) settle();
    });
  }
}
