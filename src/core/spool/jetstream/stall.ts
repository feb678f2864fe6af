/**
 * Sees when a consumer hands out nothing though its stream has more. The copy of the stream may have stopped short of its
 * end at the node that leads the consumer: with nats-server 2.9.10, in 2 of some 350 trials in which all nodes of a cluster
 * had been killed, it said that there was nothing left. Under another leader the rest came.
 */
import type { ConsumerInfo } from '@nats-io/jetstream';

/** Longer than nodes of a healthy cluster are apart. */
const STALLED_MS = 5_000;
/** Another node gets so long to do better. */
const AGAIN_MS = 15_000;

export type Place = Pick<ConsumerInfo, 'num_pending'> & {
  delivered: Pick<ConsumerInfo['delivered'], 'stream_seq'>;
};

export class Stall {
  #delivered: number | undefined;
  #since = 0;

  /**
   * Takes a newer state of the consumer.
   * @param last sequence of the newest message in the stream, asked for before the state was; 0 when there is none
   * @param isAsking somebody waits for messages
   * @param now on the monotonic clock
   * @returns whether another node should lead the consumer
   */
  look({ delivered, num_pending: pending }: Place, last: number, isAsking: boolean, now: number): boolean {
    if (!isAsking || pending > 0 || delivered.stream_seq >= last) {
      this.#delivered = undefined;
      return false;
    }
    if (this.#delivered !== delivered.stream_seq) {
      this.#delivered = delivered.stream_seq;
      this.#since = now;
      return false;
    }
    if (now - this.#since < STALLED_MS) return false;
    this.#since = now + AGAIN_MS - STALLED_MS;
    return true;
  }
}
