/** How far one output is in the stream, and how many alerts were dropped before it got to them. */
import type { ConsumerInfo, SequenceInfo } from '@nats-io/jetstream';

/** Numbers of a delivery: `consumer_seq` counts deliveries, repeated ones too; `stream_seq` is the alert's place. */
export type Sequences = Pick<SequenceInfo, 'consumer_seq' | 'stream_seq'>;

/** What the server says of a consumer: its last delivery to anybody, and when it was made. */
export interface Look extends Pick<ConsumerInfo, 'created'> {
  delivered: Sequences;
}

export class Progress {
  #reached: number | undefined;
  #last: Look | undefined;
  /** Alerts behind the last delivery of the last look that were counted as dropped already. */
  #ahead = 0;
  /** Deliveries to us since the last look that were not the alert's first, by their `consumer_seq`. */
  #repeated: number[] = [];

  /** @param reached 0 for a stream that is known to be new, undefined for one that nobody has looked at */
  constructor(reached?: 0) {
    this.#reached = reached;
  }

  /** Everything up to this sequence was handed out to somebody or counted as dropped. */
  get reached(): number | undefined {
    return this.#reached;
  }

  /** An alert came to us; `attempt` is 1 when nobody had it before. */
  arrived({ consumer_seq, stream_seq }: Sequences, attempt: number): void {
    this.#reached = Math.max(this.#reached ?? 0, stream_seq);
    if (attempt > 1) this.#repeated.push(consumer_seq);
  }

  /**
   * Takes what the server says of the consumer.
   *
   * An alert's first delivery moves both sequences by one, a repeated one that of the consumer only, and a drop that of
   * the stream only. Repeats that went to other replicas are not known here and count against the drops of the same
   * stretch: this may tell too few, and never too many.
   * @param first the oldest sequence in the stream
   * @returns how many alerts were dropped undelivered since the last look
   */
  look(look: Look, first: number): number {
    const { delivered } = look;
    const skipped = this.#skipped(look);
    const dropped = Math.max(0, skipped - this.#ahead);
    const reached = this.#reached ?? first - 1;
    this.#ahead = delivered.stream_seq >= reached ? 0 : Math.max(0, this.#ahead - skipped);
    const known = Math.max(reached, delivered.stream_seq);
    const behind = Math.max(0, first - 1 - known);
    this.#ahead += behind;
    this.#reached = known + behind;
    this.#last = look;
    return dropped + behind;
  }

  /** Alerts between the last look's delivery and this one that were delivered to nobody. */
  #skipped({ delivered, created }: Look): number {
    const last = this.#last?.delivered;
    const isSame = this.#last?.created === created;
    const isRepeatHere = (seq: number) => seq <= delivered.consumer_seq;
    const repeats = this.#repeated.filter(isRepeatHere).length;
    this.#repeated = this.#repeated.filter(seq => !isRepeatHere(seq));
    // A consumer that was made anew counts from 0 again; a new leader may be a little behind the old one.
    if (!last || !isSame || delivered.consumer_seq < last.consumer_seq) return 0;
    const places = delivered.stream_seq - last.stream_seq;
    const firsts = delivered.consumer_seq - last.consumer_seq - repeats;
    return Math.max(0, places - firsts);
  }
}
