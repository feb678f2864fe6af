/** One timer for whoever has to look again at some time: the earliest time asked for counts. */
import { timerMs } from '../timer.ts';

export class Alarm {
  readonly #ring: () => void;
  #set: { timer: NodeJS.Timeout; at: number } | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at that time at the latest, or after the longest time of a timer. Both on the monotonic clock. */
  set(at: number, now: number): void {
    if (this.#set && this.#set.at <= at) return;
    clearTimeout(this.#set?.timer);
    const timer = setTimeout(
      () => {
        this.#set = undefined;
        this.#ring();
      },
      timerMs(at - now),
    );
    this.#set = { timer, at };
  }

  clear(): void {
    clearTimeout(this.#set?.timer);
    this.#set = undefined;
  }
}
