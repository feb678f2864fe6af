/**
 * Messages seen within about the last so many milliseconds, each by its sequence and the time it was stored at, which tells
 * another message of the same sequence. Two tables, of which the older one is thrown away whole.
 */
export class Recent {
  readonly #ms: number;
  #newer = new Map<number, number>();
  #older = new Map<number, number>();
  #turnAt = Number.NEGATIVE_INFINITY;

  /** A message is remembered for at least `ms`, at most twice that. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  add(sequence: number, storedAt: number, now: number): void {
    this.#turn(now);
    this.#newer.set(sequence, storedAt);
  }

  has(sequence: number, storedAt: number): boolean {
    return (this.#newer.get(sequence) ?? this.#older.get(sequence)) === storedAt;
  }

  #turn(now: number): void {
    if (now - this.#turnAt < this.#ms) return;
    this.#turnAt = now;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}
