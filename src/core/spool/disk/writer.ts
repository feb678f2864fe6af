/** Appends to the newest segment, starts new ones, and brings what was written to the device. */
import { join } from 'node:path';
import type { Entry } from '../contract.ts';
import { type FileSystem, writeFully } from './files.ts';
import {
  encodeRecord,
  encodeSegmentHeader,
  FORMAT_VERSION,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './format.ts';
import { Segment, type Segments } from './segments.ts';

/** Records are gathered here before they are written. */
const SCRATCH_BYTES = 256 * 1024;

export interface WriterOptions {
  files: FileSystem;
  folder: string;
  segments: Segments;
  /** A segment grows no further. */
  segmentBytes: number;
  /** Nor older than this, in milliseconds: what is dropped, or looked for, by age is so a segment at a time. */
  segmentAgeMs: number;
}

export class SegmentWriter {
  readonly #options: WriterOptions;
  /** The newest segment's file; undefined: the next record starts a segment. */
  #fd: number | undefined;
  /** Files of older segments, not synced yet. */
  #retired: number[] = [];
  /** The files that are open, those being synced among them. */
  readonly #open = new Map<number, Segment>();
  #isSynced = true;
  #isFolderSynced = true;
  #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Goes on with the newest segment, which recovery found in order. */
  resume(): void {
    const { files, segments } = this.#options;
    try {
      if (!segments.last) return;
      this.#fd = files.open(segments.last.path, 'r+');
      this.#open.set(this.#fd, segments.last);
    } catch {
      // A new segment will do.
    }
  }

  /** Writes entries in order; how many are in the file, and why not all of them. */
  write(entries: readonly Entry[]): { written: number; error?: unknown } {
    let written = 0;
    try {
      while (written < entries.length) {
        if (this.#fd === undefined || this.#isFull(entries[written]!)) this.#start(entries[written]!);
        written = this.#writeSome(entries, written);
      }
      return { written };
    } catch (error) {
      this.#cutBack();
      return { written, error };
    }
  }

  /** The next record starts a new segment. */
  retire(): void {
    if (this.#fd === undefined) return;
    this.#retired.push(this.#fd);
    this.#fd = undefined;
  }

  /** The segment goes: nothing more is written to it, and its file, should it be open, takes no more room. */
  letGo(segment: Segment): void {
    for (const [fd, open] of this.#open) {
      if (open !== segment) continue;
      if (fd === this.#fd) this.retire();
      try {
        // Removing its name would free nothing before it is closed, and it may be on its way to the device.
        this.#options.files.truncate(fd, 0);
      } catch {
        // It is closed with the next sync.
      }
    }
  }

  /** Brings everything written so far to the device. To be called again only when it has ended. */
  async sync(): Promise<void> {
    const { files, folder } = this.#options;
    let failure: unknown;
    for (const fd of this.#retired.splice(0)) {
      await this.#syncFile(fd).catch(error => {
        failure ??= error;
      });
      this.#close(fd);
    }
    const fd = this.#fd;
    if (fd !== undefined && !this.#isSynced) {
      this.#isSynced = true;
      await this.#syncFile(fd).catch(error => {
        failure ??= error;
        // The kernel may have let go of what it could not write: asking again would prove nothing. And a file that was
        // removed ends with this process.
        if (this.#fd === fd) this.#fd = undefined;
        else this.#retired = this.#retired.filter(retired => retired !== fd);
        this.#close(fd);
      });
    }
    if (!this.#isFolderSynced) {
      this.#isFolderSynced = true;
      await files.syncFolder(folder).catch(error => {
        failure ??= error;
        this.#isFolderSynced = false;
      });
    }
    if (failure !== undefined) throw failure;
  }

  /** @throws what the disk says, and ENOENT when somebody has removed the file */
  async #syncFile(fd: number): Promise<void> {
    const { files, segments } = this.#options;
    await files.datasync(fd);
    if (!segments.has(this.#open.get(fd)!) || !files.isRemoved(fd)) return;
    throw Object.assign(new Error('a file of the log was removed'), { code: 'ENOENT' });
  }

  /** Closes the files. */
  close(): void {
    this.retire();
    for (const fd of this.#retired.splice(0)) this.#close(fd);
  }

  #close(fd: number): void {
    this.#open.delete(fd);
    this.#options.files.close(fd);
  }

  #isFull(entry: Entry): boolean {
    const { segments, segmentBytes } = this.#options;
    const { size, lastAt, createdAt } = segments.last!;
    if (!this.#isInTime(entry.appendedAt, lastAt ?? createdAt)) return true;
    return size > SEGMENT_HEADER_BYTES && size + recordBytes(entry) > segmentBytes;
  }

  /** Times in a segment do not go back, and come to no more than its age: that is what its bounds in time are known by. */
  #isInTime(appendedAt: number, before: number): boolean {
    const { segments, segmentAgeMs } = this.#options;
    return appendedAt >= before && appendedAt - segments.last!.createdAt <= segmentAgeMs;
  }

  #start(entry: Entry): void {
    const { files, folder, segments } = this.#options;
    this.retire();
    // A segment that has no records yet would have the same name.
    if (segments.last && segments.last.size <= SEGMENT_HEADER_BYTES) segments.pop();
    const { offset, appendedAt } = entry;
    const path = join(folder, segmentName(offset));
    const fd = files.open(path, 'w');
    try {
      const header = { version: FORMAT_VERSION, firstOffset: offset, createdAt: appendedAt };
      writeFully(files, fd, encodeSegmentHeader(header), SEGMENT_HEADER_BYTES, 0);
    } catch (error) {
      files.close(fd);
      this.#remove(path);
      throw error;
    }
    this.#fd = fd;
    this.#isSynced = false;
    this.#isFolderSynced = false;
    const segment = new Segment(path, offset, appendedAt, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES);
    segments.push(segment);
    this.#open.set(fd, segment);
  }

  /** Removes a segment that could not be begun: the next one may have another name. */
  #remove(path: string): void {
    try {
      this.#options.files.unlink(path);
    } catch {
      // The next start removes it or sets it aside.
    }
  }

  /** Writes as many records as go into one call; the index of the first that is not written. */
  #writeSome(entries: readonly Entry[], from: number): number {
    const { files, segments, segmentBytes } = this.#options;
    const segment = segments.last!;
    const first = recordBytes(entries[from]!);
    const buffer = first <= this.#scratch.length ? this.#scratch : Buffer.allocUnsafeSlow(first);
    let used = 0;
    let index = from;
    for (; index < entries.length; index++) {
      const end = used + recordBytes(entries[index]!);
      if (index > from) {
        if (end > buffer.length || segment.size + end > segmentBytes) break;
        if (!this.#isInTime(entries[index]!.appendedAt, entries[index - 1]!.appendedAt)) break;
      }
      used = encodeRecord(buffer, used, entries[index]!);
    }
    this.#isSynced = false;
    writeFully(files, this.#fd!, buffer, used, segment.size);
    const { offset, appendedAt } = entries[from]!;
    segment.mark({ offset, position: segment.size, appendedAt });
    segments.grow(used, entries[index - 1]!.appendedAt);
    return index;
  }

  /** Takes half-written records out of the file; if that fails too, the next write goes over them. */
  #cutBack(): void {
    const { files, segments } = this.#options;
    if (this.#fd === undefined) return;
    try {
      files.truncate(this.#fd, segments.last!.size);
    } catch {
      // The disk refuses everything at present.
    }
  }
}

/** Bytes that an entry takes in a segment. */
export function recordBytes(entry: { alert: Entry['alert'] }): number {
  return RECORD_HEADER_BYTES + entry.alert.byteLength;
}
