/** What the server last said of the stream. */
import type { StreamInfo } from '@nats-io/jetstream';
import type { Session } from './link.ts';
import { ARRIVED } from './publisher.ts';

export class StreamState {
  readonly #stream: string;
  #messages = 0;
  #bytes = 0;
  #first = 1;
  #last = 0;
  #next = 1;
  #oldestAt: number | undefined;
  #created: string | undefined;
  #generation = 0;
  #isCut = false;
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(stream: string) {
    this.#stream = stream;
  }

  /** Alerts in the stream, those counted that we have stored since. */
  get messages(): number {
    return this.#messages + this.#next - 1 - this.#last;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Sequence of the oldest message; that of the next one when there is none. */
  get first(): number {
    return this.#first;
  }

  /** Sequence of the newest message when the server was last asked; lower than that of the oldest one when there is none. */
  get last(): number {
    return this.#last;
  }

  /** Whether the server, when it was last asked, had not got all that had been stored by then. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Sequence of the next message. */
  get next(): number {
    return this.#next;
  }

  /** When the oldest alert arrived, in milliseconds since the epoch. */
  get oldestAt(): number | undefined {
    return this.#messages === 0 ? undefined : this.#oldestAt;
  }

  /** Counts how often another stream was found in the place of the one there was. */
  get generation(): number {
    return this.#generation;
  }

  /** How old this is, in milliseconds. */
  get ageMs(): number {
    return performance.now() - this.#refreshedAt;
  }

  /** A message was stored. */
  stored(seq: number): void {
    if (seq >= this.#next) this.#next = seq + 1;
  }

  async refresh({ manager }: Session): Promise<StreamInfo> {
    const known = this.#next - 1;
    const info = await manager.streams.info(this.#stream);
    const { messages, bytes, first_seq, last_seq } = info.state;
    const isAnother = this.#created !== undefined && info.created !== this.#created;
    this.#created = info.created;
    if (isAnother) this.#generation++;
    this.#isCut = !isAnother && last_seq < known;
    const isSame =
      !isAnother && this.#messages > 0 && first_seq === this.#first && this.#oldestAt !== undefined;
    this.#next = isAnother ? last_seq + 1 : Math.max(this.#next, last_seq + 1);
    this.#messages = messages;
    this.#bytes = bytes;
    this.#first = messages === 0 ? last_seq + 1 : first_seq;
    this.#last = Math.min(last_seq, this.#next - 1);
    this.#refreshedAt = performance.now();
    if (messages > 0 && !isSame) {
      const oldest = await manager.direct.getMessage(this.#stream, { seq: first_seq }).catch(() => null);
      if (oldest) this.#oldestAt = Number(oldest.header?.get(ARRIVED)) || oldest.time.getTime();
    }
    return info;
  }
}
