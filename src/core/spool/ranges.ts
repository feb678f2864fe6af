/** A set of whole numbers kept as ranges: few of them, however many numbers there are. */

/** From the first number up to, and not with, the second. */
export type Range = readonly [from: number, to: number];

export class Ranges {
  #ranges: Range[] = [];

  values(): readonly Range[] {
    return this.#ranges;
  }

  /** The numbers from..to-1 belong to the set from now on. */
  add(from: number, to: number): void {
    if (from >= to) return;
    const first = this.#ranges.findIndex(range => range[1] >= from);
    if (first < 0) {
      this.#ranges.push([from, to]);
      return;
    }
    let last = first;
    while (last < this.#ranges.length && this.#ranges[last]![0] <= to) last++;
    const touched = this.#ranges.slice(first, last);
    const merged: Range = [Math.min(from, touched[0]?.[0] ?? from), Math.max(to, touched.at(-1)?.[1] ?? to)];
    this.#ranges.splice(first, touched.length, merged);
  }

  /** How many of the numbers from..to-1 belong to the set. */
  count(from: number, to: number): number {
    let found = 0;
    for (const range of this.#ranges) found += Math.max(0, Math.min(to, range[1]) - Math.max(from, range[0]));
    return found;
  }

  /** Forgets the numbers below `floor`. */
  dropBelow(floor: number): void {
    this.#ranges = this.#ranges
      .filter(range => range[1] > floor)
      .map(range => [Math.max(range[0], floor), range[1]]);
  }
}

/** Ascending numbers as ranges. */
export function toRanges(ascending: Iterable<number>): Range[] {
  const ranges: [number, number][] = [];
  let last: [number, number] | undefined;
  for (const value of ascending) {
    if (last?.[1] === value) {
      last[1]++;
      continue;
    }
    last = [value, value + 1];
    ranges.push(last);
  }
  return ranges;
}
