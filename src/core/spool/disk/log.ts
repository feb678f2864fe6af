/** The segmented log as a whole: where it begins and ends, appending, reading, dropping its oldest part. */
import type { Logger } from '../../contract.ts';
import type { Entry } from '../contract.ts';
import { CLOCK_STEP_MS } from '../history.ts';
import type { Chunk } from '../log-reader.ts';
import { errorCode, type FileSystem, writeFully } from './files.ts';
import { SegmentReader } from './reader.ts';
import { recoverLog } from './recovery.ts';
import type { Segment, Segments } from './segments.ts';
import type { SetAside } from './set-aside.ts';
import { SegmentWriter } from './writer.ts';

const PROBE_BYTES = 4096;

export interface DiskLogOptions {
  files: FileSystem;
  folder: string;
  setAside: SetAside;
  log: Logger;
  segmentBytes: number;
  segmentAgeMs: number;
  /** No offset below may be given again. */
  minNextOffset: number;
}

export class DiskLog {
  readonly segments: Segments;
  /** When the newest entry on disk was appended, in milliseconds since the epoch. */
  lastAt: number | undefined;
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #reader: SegmentReader;
  readonly #writer: SegmentWriter;
  #end: number;

  /** Opens the folder, whatever its state. Throws as `recoverLog` does. */
  static async open(options: DiskLogOptions): Promise<DiskLog> {
    const { files, folder, setAside, log, minNextOffset } = options;
    const { segments, nextOffset, lastAt, canResume } = await recoverLog(files, folder, setAside);
    const writer = new SegmentWriter({ ...options, segments });
    if (canResume) writer.resume();
    const end = Math.max(nextOffset, minNextOffset);
    segments.addMissing(nextOffset, end);
    // An empty log may have been trimmed; one that ends too early has lost something.
    if (end > nextOffset && segments.count > 0) {
      log.warn({ from: nextOffset, to: end - 1 }, 'the newest alerts of the log are not on disk');
    }
    return new DiskLog(options, segments, writer, { end, lastAt });
  }

  private constructor(
    { files, folder, log, setAside }: DiskLogOptions,
    segments: Segments,
    writer: SegmentWriter,
    { end, lastAt }: { end: number; lastAt: number | undefined },
  ) {
    this.#files = files;
    this.#folder = folder;
    this.#log = log;
    this.segments = segments;
    this.#reader = new SegmentReader(files, segments, setAside);
    this.#writer = writer;
    this.#end = end;
    this.lastAt = lastAt;
  }

  get firstOffset(): number {
    return this.segments.first?.firstOffset ?? this.#end;
  }

  /** The first offset that is not on disk. */
  get end(): number {
    return this.#end;
  }

  get bytes(): number {
    return this.segments.bytes;
  }

  /** Writes entries that follow the end; why not all of them could be written. */
  write(entries: readonly Entry[]): unknown {
    const { written, error } = this.#writer.write(entries);
    const last = entries[written - 1];
    if (last) {
      this.#end = last.offset + 1;
      this.lastAt = last.appendedAt;
    }
    return error;
  }

  /** Entries up to `offset` will never be written. */
  skipTo(offset: number): void {
    this.segments.addMissing(this.#end, offset);
    this.#end = offset;
  }

  /** Brings what was written to the device. One call at a time. */
  sync(): Promise<void> {
    return this.#writer.sync();
  }

  /** Tries the disk with a small file of its own; what went wrong, if anything. */
  probe(): unknown {
    const path = `${this.#folder}.probe`;
    try {
      const fd = this.#files.open(path, 'w');
      try {
        writeFully(this.#files, fd, Buffer.alloc(PROBE_BYTES), PROBE_BYTES, 0);
      } finally {
        this.#files.close(fd);
      }
      this.#files.unlink(path);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** A piece of the log that covers `offset`. */
  load(offset: number): Promise<Chunk> {
    return this.#reader.load(offset, () => this.#end);
  }

  /** Passes over segments that hold nothing of that time, as `LogReader.seek` does. */
  seek(offset: number, since: number, until: number): number {
    for (const segment of this.segments.from(offset)) {
      // The oldest of its entries is the first one.
      if (segment.createdAt <= until && this.#newestAtMost(segment) >= since) {
        return Math.max(offset, segment.firstOffset);
      }
    }
    return Math.max(offset, this.#end);
  }

  /** No entry of the segment was appended later, in milliseconds since the epoch. */
  #newestAtMost(segment: Segment): number {
    return segment.lastAt ?? Math.max(segment.createdAt + CLOCK_STEP_MS, this.lastAtOf(segment));
  }

  /** The offset behind the segment's last one. */
  endOf(segment: Segment): number {
    return this.segments.after(segment)?.firstOffset ?? this.#end;
  }

  /** When the segment's last entry was appended, or a little later; milliseconds since the epoch. */
  lastAtOf(segment: Segment): number {
    return segment.lastAt ?? this.segments.after(segment)?.createdAt ?? this.lastAt ?? segment.createdAt;
  }

  /** Drops the oldest segments. */
  drop(count: number): void {
    for (let left = count; left > 0; left--) {
      const segment = this.segments.first;
      if (!segment) return;
      this.#writer.letGo(segment);
      this.segments.shift();
      try {
        this.#files.unlink(segment.path);
      } catch (error) {
        this.#log.warn(
          { offset: segment.firstOffset, error: errorCode(error) },
          'a segment could not be removed',
        );
      }
    }
  }

  /** Closes the files. */
  close(): void {
    this.#writer.close();
  }
}
