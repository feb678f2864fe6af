/** One timer for whoever has to look again at some time: the earliest time asked for counts. */
/** Longest time of a timer, in milliseconds: Node fires at once beyond it. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

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
      Math.min(Math.max(0, Math.ceil(at - now)), MAX_TIMER_MS),
    );
    this.#set = { timer, at };
  }

  clear(): void {
    clearTimeout(this.#set?.timer);
    this.#set = undefined;
  }
}
