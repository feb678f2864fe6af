/** The newest entries, in memory, shared by all consumers: those that keep up never read the disk. */
import type { Entry } from './contract.ts';

/**
 * What an entry in memory costs, in bytes: its JSON as text and as bytes, its parsed fields, and the objects
 * around them. Measured with alerts of 1.1 KB; on the safe side for smaller ones.
 */
export function memoryCost(entry: Entry): number {
  return 1024 + 4 * entry.alert.byteLength;
}

/** A queue of entries with consecutive offsets and access by offset. */
export class Tail {
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #first: number;
  #bytes = 0;

  /** @param next the offset of the first entry to come */
  constructor(next: number) {
    this.#first = next;
  }

  /** Offset of the oldest entry held. */
  get first(): number {
    return this.#first;
  }

  /** The offset that the next entry has to have. */
  get next(): number {
    return this.#first + this.#entries.length - this.#head;
  }

  /** Memory taken, as `memoryCost` counts it. */
  get bytes(): number {
    return this.#bytes;
  }

  get(offset: number): Entry | undefined {
    return offset < this.#first ? undefined : this.#entries[this.#head + offset - this.#first];
  }

  /** The entries from `offset` on, at most so many. */
  from(offset: number, limit?: number): Entry[] {
    const at = this.#head + Math.max(0, offset - this.#first);
    return this.#entries.slice(at, limit === undefined ? undefined : at + limit) as Entry[];
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += memoryCost(entry);
  }

  /** Takes the oldest entry out. */
  shift(): Entry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head++] = undefined;
    this.#first++;
    this.#bytes -= memoryCost(entry);
    // Cutting the empty front off only now and then keeps a shift cheap.
    if (this.#head >= 1024 && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }
}
