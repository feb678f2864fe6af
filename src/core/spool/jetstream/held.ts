/** An alert of the stream in the hands of this process. */
import type { Alert } from '../../alert/alert.ts';
import type { Delivery } from '../contract.ts';
import type { Waiting } from '../retry-heap.ts';

/**
 * `ready` to be handed out, `out` with the worker, `waiting` for its next try, `burying` on its way into the dead
 * letters, or `gone`: settled, or not ours any more.
 */
export type HeldState = 'ready' | 'out' | 'waiting' | 'burying' | 'gone';

export interface Keeper {
  acked(held: Held): void;
  retried(held: Held, afterMs: number): void;
  /** @throws when the letter cannot be stored */
  buried(held: Held, error: Error): Promise<void>;
}

export class Held implements Delivery, Waiting {
  /** Sequence in the stream; below zero when the stream that it came from is no more. */
  offset: number;
  /** When the stream stored it, in nanoseconds since the epoch as far as a double has them; tells it from others there. */
  readonly storedAt: number;
  readonly appendedAt: number;
  readonly alert: Alert;
  readonly attempt: number;
  /** Subject that takes what becomes of it; undefined when nobody has to know. */
  reply: string | undefined;
  state: HeldState = 'ready';
  /** When its next try is due, on the monotonic clock. */
  due = 0;
  /** When the server last heard that it is in our hands, on the monotonic clock. */
  touchedAt: number;
  readonly #keeper: Keeper;

  constructor(
    from: Pick<Held, 'offset' | 'storedAt' | 'appendedAt' | 'alert' | 'attempt' | 'reply' | 'touchedAt'>,
    keeper: Keeper,
  ) {
    this.offset = from.offset;
    this.storedAt = from.storedAt;
    this.appendedAt = from.appendedAt;
    this.alert = from.alert;
    this.attempt = from.attempt;
    this.reply = from.reply;
    this.touchedAt = from.touchedAt;
    this.#keeper = keeper;
  }

  ack(): void {
    if (this.state === 'out') this.#keeper.acked(this);
  }

  retry(afterMs: number, _error: Error): void {
    if (this.state === 'out') this.#keeper.retried(this, afterMs);
  }

  bury(error: Error): Promise<void> {
    if (this.state !== 'out') return Promise.resolve();
    return this.#keeper.buried(this, error);
  }
}
