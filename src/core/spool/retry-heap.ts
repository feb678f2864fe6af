/** What waits for its time: a binary heap, the next due on top, of equals the smallest offset. */

/** Something with a time and a place in the log. */
export interface Waiting {
  readonly offset: number;
  /** When it is due; any clock that only goes forward. */
  due: number;
}

export class RetryHeap<T extends Waiting> {
  #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The next one due. */
  get top(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++;
      if (!isBefore(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }

  /** Makes the next one due at that time, unless it is due before. */
  setNextDue(due: number): void {
    const [top] = this.#items;
    // Earlier than all others it stays on top.
    if (top && top.due > due) top.due = due;
  }

  /** Makes everything due at the same time, oldest offset first. */
  setAllDue(due: number): void {
    for (const item of this.#items) item.due = due;
    // A sorted list is a heap.
    this.#items.sort((a, b) => a.offset - b.offset);
  }
}

function isBefore(a: Waiting, b: Waiting): boolean {
  return a.due < b.due || (a.due === b.due && a.offset < b.offset);
}
