/** Reads the segments of a log a piece at a time; pieces are shared by consumers that are at the same place. */
import { basename } from 'node:path';
import { decodeAlert } from '../../alert/alert.ts';
import type { Entry } from '../contract.ts';
import type { Chunk } from '../log-reader.ts';
import { errorCode, type FileSystem, readFully } from './files.ts';
import { type ScanResult, scanRecords } from './format.ts';
import { isTransient } from './read-faults.ts';
import type { Mark, Segment, Segments } from './segments.ts';
import type { SetAside } from './set-aside.ts';

/** Bytes read at once. Decoded, a piece takes about four times as much. */
const CHUNK_BYTES = 128 * 1024;
/** Bytes read at once where all is damaged: each piece of it is set aside in a file of its own. */
const DAMAGED_BYTES = 1024 * 1024;
/** Pieces kept for others to share. */
const CACHED_CHUNKS = 8;
/** A segment that seems to be damaged this often in a row is given up; its file is opened anew each time. */
const MAX_READ_FAILURES = 5;

export class SegmentReader {
  readonly #files: FileSystem;
  readonly #segments: Segments;
  readonly #setAside: SetAside;
  /** Least recently used first. */
  readonly #cache = new Map<string, Promise<Chunk>>();
  readonly #failures = new Map<Segment, number>();

  constructor(files: FileSystem, segments: Segments, setAside: SetAside) {
    this.#files = files;
    this.#segments = segments;
    this.#setAside = setAside;
  }

  /**
   * A piece of the log that covers `offset`.
   * @param end tells the first offset that is not on disk, each time it is asked
   */
  async load(offset: number, end: () => number): Promise<Chunk> {
    for (let before: Mark | undefined; ; ) {
      const segment = this.#segments.holding(offset);
      if (!segment || offset >= end()) return { from: offset, entries: [], next: Math.max(offset, end()) };
      const wanted = Math.max(offset, segment.firstOffset);
      const mark = segment.markBefore(wanted);
      // The piece at hand is from before the segment grew.
      if (mark === before) this.#cache.delete(keyOf(segment, mark));
      before = mark;
      const chunk = await this.#shared(segment, mark, end);
      // A piece that ends before the offset has marked its end: the next round starts there.
      if (wanted < chunk.next) return { ...chunk, from: Math.min(offset, chunk.from) };
    }
  }

  #shared(segment: Segment, mark: Mark, end: () => number): Promise<Chunk> {
    const key = keyOf(segment, mark);
    let chunk = this.#cache.get(key);
    this.#cache.delete(key);
    chunk ??= this.#read(segment, mark, end()).catch(error => {
      this.#cache.delete(key);
      return this.#readFailed(segment, mark, end(), error);
    });
    this.#cache.set(key, chunk);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_CHUNKS) break;
      this.#cache.delete(oldest);
    }
    return chunk;
  }

  async #read(segment: Segment, mark: Mark, end: number): Promise<Chunk> {
    const { size } = segment;
    const maxOffset = this.#segments.after(segment)?.firstOffset ?? end;
    const fd = this.#files.open(segment.path, 'r');
    try {
      let { position } = mark;
      for (let length = CHUNK_BYTES; ; ) {
        const wanted = Math.min(length, size - position);
        const buffer = Buffer.allocUnsafe(wanted);
        const count = await readFully(this.#files, fd, buffer, wanted, position);
        const bytes = buffer.subarray(0, count);
        const fileSize = count < wanted ? position + count : size;
        const scan = scanRecords(bytes, { position, fileSize, minOffset: mark.offset, maxOffset });
        const atEnd = scan.end >= fileSize;
        if (scan.end === position && !atEnd) {
          length *= 4;
          continue;
        }
        this.#noteBad(segment, scan, bytes, position);
        if (scan.records.length === 0 && !atEnd) {
          position = scan.end;
          length = DAMAGED_BYTES;
          continue;
        }
        this.#failures.delete(segment);
        return this.#toChunk(segment, mark, scan, atEnd ? maxOffset : undefined);
      }
    } finally {
      this.#files.close(fd);
    }
  }

  /** @param next where to go on when the piece reaches the segment's end */
  #toChunk(segment: Segment, mark: Mark, scan: ScanResult, next: number | undefined): Chunk {
    const entries: Entry[] = [];
    let expected = mark.offset;
    for (const { offset, appendedAt, position, end, payload } of scan.records) {
      // Copied: an entry that waits must not hold the whole piece in memory.
      const bytes = Buffer.from(payload);
      try {
        entries.push({ offset, appendedAt, alert: decodeAlert(bytes) });
      } catch {
        const isNew = segment.noteBad({ from: position, to: end }) === 'new';
        if (isNew) this.#keep(bytes, segment, position, false);
        continue;
      }
      this.#segments.addMissing(expected, offset);
      expected = offset + 1;
    }
    const last = entries.at(-1);
    next ??= Math.max(expected, (scan.records.at(-1)?.offset ?? -1) + 1);
    segment.mark({ offset: next, position: scan.end, appendedAt: last?.appendedAt ?? mark.appendedAt }, true);
    if (this.#segments.has(segment)) this.#segments.addMissing(expected, next);
    return { from: mark.offset, entries, next };
  }

  #noteBad(segment: Segment, scan: ScanResult, bytes: Buffer, start: number): void {
    // What is dropped meanwhile may be cut off while it is read.
    if (!this.#segments.has(segment)) return;
    for (const stretch of scan.bad) {
      const found = segment.noteBad(stretch);
      if (found === 'known') continue;
      this.#keep(
        bytes.subarray(stretch.from - start, stretch.to - start),
        segment,
        stretch.from,
        found === 'more',
      );
    }
  }

  #keep(bytes: Buffer, segment: Segment, position: number, more: boolean): void {
    this.#setAside.bytes(bytes, basename(segment.path), position, {
      why: 'a piece of the log cannot be read back',
      more,
    });
  }

  /** A file that is gone, or damaged again and again, must not hold up a consumer for ever. */
  #readFailed(segment: Segment, mark: Mark, end: number, error: unknown): Chunk {
    const next = this.#segments.after(segment)?.firstOffset ?? end;
    if (!this.#segments.has(segment)) return { from: mark.offset, entries: [], next };
    if (isTransient(error)) throw error;
    const failures = (this.#failures.get(segment) ?? 0) + 1;
    this.#failures.set(segment, failures);
    const code = errorCode(error);
    if (code !== 'ENOENT' && failures < MAX_READ_FAILURES) throw error;
    if (segment.noteBad({ from: mark.position, to: segment.size }) === 'new') {
      this.#setAside.lost(basename(segment.path), mark.position, `the log cannot be read (${code})`);
    }
    this.#segments.addMissing(mark.offset, next);
    return { from: mark.offset, entries: [], next };
  }
}

function keyOf(segment: Segment, mark: Mark): string {
  return `${segment.firstOffset}:${mark.position}:${mark.offset}`;
}
