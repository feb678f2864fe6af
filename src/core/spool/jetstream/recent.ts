/** Numbers seen within about the last so many milliseconds: two sets, of which the older one is thrown away whole. */
export class Recent {
  readonly #ms: number;
  #newer = new Set<number>();
  #older = new Set<number>();
  #turnAt = Number.NEGATIVE_INFINITY;

  /** A number is remembered for at least `ms`, at most twice that. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  add(value: number, now: number): void {
    this.#turn(now);
    this.#newer.add(value);
  }

  has(value: number): boolean {
    return this.#newer.has(value) || this.#older.has(value);
  }

  #turn(now: number): void {
    if (now - this.#turnAt < this.#ms) return;
    this.#turnAt = now;
    this.#older = this.#newer;
    this.#newer = new Set();
  }
}
