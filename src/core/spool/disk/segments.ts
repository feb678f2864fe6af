/** What is known in memory of the segments of a log: little, however many entries they hold. */
import { type Range, Ranges } from '../ranges.ts';
import type { BadStretch } from './format.ts';

/** Bytes between two known places in a segment. */
const MARK_SPACING = 64 * 1024;

/** A place in a segment: the entries from `offset` on stand at `position` or behind. */
export interface Mark {
  readonly offset: number;
  readonly position: number;
  /** When the entry there was appended, in milliseconds since the epoch. */
  readonly appendedAt: number;
}

export class Segment {
  readonly path: string;
  readonly firstOffset: number;
  /** When its first entry was appended. */
  readonly createdAt: number;
  /** When its last entry was appended; undefined when it was written by an earlier process and not read since. */
  lastAt: number | undefined;
  /** Bytes that hold records, header included. */
  size: number;
  /** Ascending; the first one is the segment's beginning. */
  readonly #marks: Mark[];
  /** Stretches known to be unreadable. */
  readonly #bad: BadStretch[] = [];

  constructor(path: string, firstOffset: number, createdAt: number, start: number, size: number) {
    this.path = path;
    this.firstOffset = firstOffset;
    this.createdAt = createdAt;
    this.size = size;
    this.#marks = [{ offset: firstOffset, position: start, appendedAt: createdAt }];
  }

  /** The last known place at or before the offset. */
  markBefore(offset: number): Mark {
    const marks = this.#marks;
    const last = marks.at(-1)!;
    // Each write asks for it.
    if (last.offset <= offset) return last;
    let low = 0;
    let high = marks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (marks[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return marks[Math.max(0, low - 1)]!;
  }

  /** Remembers a place when the last one before is far enough away, or when `always`. */
  mark(mark: Mark, always = false): void {
    const before = this.markBefore(mark.offset);
    if (before.offset === mark.offset || before.position > mark.position) return;
    if (!always && mark.position - before.position < MARK_SPACING) return;
    this.#marks.splice(this.#marks.indexOf(before) + 1, 0, mark);
  }

  /** Remembers an unreadable stretch: is it a new one, more of one that is known, or known altogether? */
  noteBad(stretch: BadStretch): 'new' | 'more' | 'known' {
    const touching = this.#bad.find(known => known.from <= stretch.to && stretch.from <= known.to);
    if (!touching) {
      this.#bad.push({ ...stretch });
      return 'new';
    }
    if (touching.from <= stretch.from && stretch.to <= touching.to) return 'known';
    touching.from = Math.min(touching.from, stretch.from);
    touching.to = Math.max(touching.to, stretch.to);
    return 'more';
  }
}

/** The segments of a log, in order, and which offsets hold nothing. */
export class Segments {
  readonly #list: Segment[] = [];
  readonly #missing = new Ranges();
  #bytes = 0;

  get first(): Segment | undefined {
    return this.#list[0];
  }

  get last(): Segment | undefined {
    return this.#list.at(-1);
  }

  get count(): number {
    return this.#list.length;
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  values(): readonly Segment[] {
    return this.#list;
  }

  push(segment: Segment): void {
    this.#list.push(segment);
    this.#bytes += segment.size;
  }

  /** Takes the oldest one out. */
  shift(): Segment | undefined {
    const segment = this.#list.shift();
    if (segment) this.#bytes -= segment.size;
    const floor = this.first?.firstOffset;
    if (floor !== undefined) this.#missing.dropBelow(floor);
    return segment;
  }

  /** Takes the newest one out. */
  pop(): void {
    const segment = this.#list.pop();
    if (segment) this.#bytes -= segment.size;
  }

  /** The last segment has grown. */
  grow(bytes: number, lastAt: number): void {
    const segment = this.last!;
    segment.size += bytes;
    segment.lastAt = lastAt;
    this.#bytes += bytes;
  }

  /** The segment that holds the offset, or the one it would be in; the first one for what is before it. */
  holding(offset: number): Segment | undefined {
    return this.#list[this.#placeOf(offset)];
  }

  /** The same one and all behind it. */
  *from(offset: number): Generator<Segment> {
    for (let at = this.#placeOf(offset); at < this.#list.length; at++) yield this.#list[at]!;
  }

  #placeOf(offset: number): number {
    const list = this.#list;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle]!.firstOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** The segment behind. */
  after(segment: Segment): Segment | undefined {
    return this.#list[this.#list.indexOf(segment) + 1];
  }

  has(segment: Segment): boolean {
    return this.#list.includes(segment);
  }

  /** The offsets from..to-1 hold nothing. */
  addMissing(from: number, to: number): void {
    this.#missing.add(from, to);
  }

  /** All offsets that are known to hold nothing. */
  allMissing(): readonly Range[] {
    return this.#missing.values();
  }

  missing(from: number, to: number): number {
    return this.#missing.count(from, to);
  }
}
