/** How far one output is in the stream, and how many alerts were dropped before it got to them. */
import type { ConsumerInfo, DeliveryInfo } from '@nats-io/jetstream';

/** What the server says of a consumer. In `delivered` is the last delivery to anybody. */
export interface ConsumerState extends Pick<ConsumerInfo, 'created'> {
  delivered: Pick<ConsumerInfo['delivered'], 'consumer_seq' | 'stream_seq'>;
}

type Delivered = Pick<DeliveryInfo, 'deliverySequence' | 'streamSequence' | 'deliveryCount'>;

export class Progress {
  #reached: number | undefined;
  #state: ConsumerState | undefined;
  /** Alerts behind the last delivery of that state that were counted as dropped already. */
  #counted = 0;
  /** Redeliveries to us since then, by their place among the consumer's deliveries. */
  #redelivered: number[] = [];

  /** @param reached 0 for a stream that is known to be new, undefined for one that is not known */
  constructor(reached?: 0) {
    this.#reached = reached;
  }

  /** Everything up to this sequence was handed out to somebody or counted as dropped. */
  get reached(): number | undefined {
    return this.#reached;
  }

  /** An alert came to us. */
  arrived({ deliverySequence, streamSequence, deliveryCount }: Delivered): void {
    this.#reached = Math.max(this.#reached ?? 0, streamSequence);
    if (deliveryCount > 1) this.#redelivered.push(deliverySequence);
  }

  /**
   * Takes a newer state of the consumer.
   *
   * An alert's first delivery moves both sequences by one, a redelivery that of the consumer only, and a drop that of the
   * stream only. Redeliveries to other replicas are not known here and count against the drops since the last state:
   * this may tell too few, and never too many.
   * @param first the oldest sequence in the stream
   * @returns how many alerts were dropped undelivered since the last state
   */
  update(state: ConsumerState, first: number): number {
    const { stream_seq: delivered } = state.delivered;
    const skipped = this.#skipped(state);
    const dropped = Math.max(0, skipped - this.#counted);
    const reached = this.#reached ?? first - 1;
    this.#counted = delivered >= reached ? 0 : Math.max(0, this.#counted - skipped);
    const known = Math.max(reached, delivered);
    const behind = Math.max(0, first - 1 - known);
    this.#counted += behind;
    this.#reached = known + behind;
    this.#state = state;
    return dropped + behind;
  }

  /** Alerts between the last delivery of the state before and that of this one which were delivered to nobody. */
  #skipped({ delivered, created }: ConsumerState): number {
    const before = this.#state?.delivered;
    const isSame = this.#state?.created === created;
    const later = this.#redelivered.filter(seq => seq > delivered.consumer_seq);
    const redelivered = this.#redelivered.length - later.length;
    this.#redelivered = later;
    // A consumer that was made anew counts from 0 again; a new leader may be a little behind the old one.
    if (!before || !isSame || delivered.consumer_seq < before.consumer_seq) return 0;
    const firsts = delivered.consumer_seq - before.consumer_seq - redelivered;
    return Math.max(0, delivered.stream_seq - before.stream_seq - firsts);
  }
}
