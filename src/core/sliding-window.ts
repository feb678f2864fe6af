/**
 * What is in flight, by ascending numbers: most of it leaves soon, and about in order. Behind the window stay the few
 * that take long.
 *
 * Not a Map: a Map (or Set) that grows and shrinks all the time is given a new table every few entries, and V8 chains the
 * old tables to the new ones. As soon as one of them is in the old space, the garbage collector's nursery takes the whole
 * chain for alive, with all that was ever in it.
 */

/** Numbers that the ring spans at most: what is further behind the newest is kept in a Map. */
const MAX_SPAN = 8192;
const FIRST_SPAN = 64;

export class SlidingWindow<T extends object> {
  /** The values of `#low` to `#high` - 1, each at its number modulo the length, which is a power of two. */
  #ring: (T | undefined)[] = new Array(FIRST_SPAN).fill(undefined);
  #low = 0;
  #high = 0;
  /** Those left behind, ascending. */
  readonly #behind = new Map<number, T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lowest number that has a value. */
  get lowest(): number | undefined {
    for (const number of this.#behind.keys()) return number;
    return this.#low < this.#high ? this.#low : undefined;
  }

  get(number: number): T | undefined {
    if (number < this.#low) return this.#behind.get(number);
    return number < this.#high ? this.#ring[this.#at(number)] : undefined;
  }

  /** A number without a value has to be above all others. */
  set(number: number, value: T): void {
    if (number < this.#high) {
      if (this.get(number) === undefined) throw new RangeError('numbers have to ascend');
      if (number < this.#low) this.#behind.set(number, value);
      else this.#ring[this.#at(number)] = value;
      return;
    }
    if (this.#low === this.#high) this.#low = number;
    this.#makeRoom(number);
    this.#ring[this.#at(number)] = value;
    this.#high = number + 1;
    this.#size++;
  }

  delete(number: number): boolean {
    if (number < this.#low) {
      if (!this.#behind.delete(number)) return false;
      this.#size--;
      return true;
    }
    if (this.get(number) === undefined) return false;
    this.#ring[this.#at(number)] = undefined;
    this.#size--;
    if (number === this.#low) this.#advance();
    return true;
  }

  /** Numbers and values, ascending. What is deleted meanwhile does not come. */
  *entries(): Generator<[number, T]> {
    yield* this.#behind;
    for (let number = this.#low; number < this.#high; number++) {
      const value = this.get(number);
      if (value !== undefined) yield [number, value];
    }
  }

  *keys(): Generator<number> {
    for (const [number] of this.entries()) yield number;
  }

  *values(): Generator<T> {
    for (const [, value] of this.entries()) yield value;
  }

  #at(number: number): number {
    // Offsets outgrow the 32 bits of a bitwise `and`.
    return number % this.#ring.length;
  }

  /** The window begins at a value, or is empty. */
  #advance(): void {
    while (this.#low < this.#high && this.#ring[this.#at(this.#low)] === undefined) this.#low++;
  }

  /** Makes the ring long enough for the number, or leaves behind what is too far below it. */
  #makeRoom(number: number): void {
    while (number - this.#low >= MAX_SPAN && this.#low < this.#high) {
      const at = this.#at(this.#low);
      this.#behind.set(this.#low, this.#ring[at]!);
      this.#ring[at] = undefined;
      this.#advance();
    }
    if (this.#low === this.#high) this.#low = number;
    if (number - this.#low < this.#ring.length) return;
    let length = this.#ring.length;
    while (number - this.#low >= length) length *= 2;
    const ring: (T | undefined)[] = new Array(length).fill(undefined);
    for (let held = this.#low; held < this.#high; held++) ring[held % length] = this.#ring[this.#at(held)];
    this.#ring = ring;
  }
}
