/** An entry in a consumer's hands. */
import type { Alert } from '../alert/alert.ts';
import type { Delivery, Entry } from './contract.ts';
import type { Waiting } from './retry-heap.ts';

/** What a delivery is settled with. */
export interface Settler {
  acked(handout: Handout): void;
  retried(handout: Handout, afterMs: number): void;
  /** @throws when the letter cannot be stored */
  buried(handout: Handout, error: Error): Promise<void>;
}

/** One hand-out of an entry. A plain class: there is one for each alert and output. */
export class Handout implements Delivery, Waiting {
  readonly offset: number;
  readonly appendedAt: number;
  readonly alert: Alert;
  readonly attempt: number;
  /** When it is handed out again, on the monotonic clock. */
  due = 0;
  #open = true;
  readonly #settler: Settler;

  constructor(entry: Entry, attempt: number, settler: Settler) {
    this.offset = entry.offset;
    this.appendedAt = entry.appendedAt;
    this.alert = entry.alert;
    this.attempt = attempt;
    this.#settler = settler;
  }

  ack(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#settler.acked(this);
  }

  retry(afterMs: number, _error: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#settler.retried(this, afterMs);
  }

  async bury(error: Error): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    try {
      await this.#settler.buried(this, error);
    } catch (problem) {
      this.#open = true;
      throw problem;
    }
  }
}
