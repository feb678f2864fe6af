/** Opens a folder of segments as it was left, in whatever state that is. */
import { basename, join } from 'node:path';
import { type FileSystem, readFully } from './files.ts';
import {
  FORMAT_VERSION,
  type FoundRecord,
  parseSegmentHeader,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  scanRecords,
} from './format.ts';
import { Segment, Segments } from './segments.ts';
import type { SetAside } from './set-aside.ts';

/** Bytes read at once. */
const PIECE_BYTES = 1024 * 1024;

/** What was found in the folder. */
export interface Recovered {
  segments: Segments;
  /** The first offset that no record has. */
  nextOffset: number;
  /** When the newest record was appended, in milliseconds since the epoch. */
  lastAt: number | undefined;
  /** The newest segment is in order: it can be written on. */
  canResume: boolean;
}

/**
 * Reads the folder. Only the newest segment is read whole, and its torn end cut off; what is wrong in older ones
 * shows when they are read. Throws only if the folder itself cannot be read.
 */
export async function recoverLog(files: FileSystem, folder: string, setAside: SetAside): Promise<Recovered> {
  files.mkdir(folder);
  const found: Segment[] = [];
  let nextOffset = 1;
  for (const name of files.list(folder).sort()) {
    const firstOffset = parseSegmentName(name);
    if (firstOffset === undefined) {
      setAside.file(join(folder, name), name, 'not a file of the log');
      continue;
    }
    const segment = await openSegment(files, join(folder, name), firstOffset, setAside);
    if (segment === null) continue;
    // A file that could not be moved away keeps its name to itself.
    if (!segment) nextOffset = Math.max(nextOffset, firstOffset + 1);
    else found.push(segment);
  }
  const segments = new Segments();
  const last = found.pop();
  for (const segment of found) segments.push(segment);
  if (!last) return { segments, nextOffset, lastAt: undefined, canResume: false };

  const scan = await scanLast(files, last, setAside);
  for (const [from, to] of scan.missing) segments.addMissing(from, to);
  segments.push(last);
  nextOffset = Math.max(nextOffset, scan.nextOffset);
  segments.addMissing(scan.nextOffset, nextOffset);
  return {
    segments,
    nextOffset,
    lastAt: scan.lastAt,
    canResume: scan.isCut,
  };
}

/** Looks at a segment's header. Undefined: set aside, none of ours; null: nothing had been written yet. */
async function openSegment(
  files: FileSystem,
  path: string,
  firstOffset: number,
  setAside: SetAside,
): Promise<Segment | undefined | null> {
  const name = basename(path);
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  let size = 0;
  try {
    const fd = files.open(path, 'r');
    try {
      size = files.size(fd);
      await readFully(files, fd, bytes, SEGMENT_HEADER_BYTES, 0);
    } finally {
      files.close(fd);
    }
  } catch (error) {
    setAside.file(
      path,
      name,
      `a file of the log cannot be opened (${(error as NodeJS.ErrnoException).code})`,
    );
    return undefined;
  }
  const header = parseSegmentHeader(bytes);
  if (size < SEGMENT_HEADER_BYTES || (size === SEGMENT_HEADER_BYTES && !header)) {
    if (size > 0) setAside.file(path, name, 'the header of a segment was not written to its end');
    else files.unlink(path);
    return null;
  }
  if (header && header.version !== FORMAT_VERSION) {
    setAside.file(path, name, `version ${header.version} of the log is not known`);
    return undefined;
  }
  const isSound = header?.firstOffset === firstOffset;
  const start = SEGMENT_HEADER_BYTES;
  const segment = new Segment(path, firstOffset, isSound ? header.createdAt : 0, start, size);
  if (isSound) return segment;
  // The records behind a damaged header may be sound. Without any, the file is something else.
  const first = await firstRecord(files, segment);
  if (!first) {
    setAside.file(path, name, 'a file of the log holds nothing that can be read');
    return undefined;
  }
  segment.noteBad({ from: 0, to: start });
  setAside.bytes(bytes, name, 0, { why: 'the header of a segment is damaged' });
  return new Segment(path, firstOffset, first.appendedAt, start, size);
}

async function firstRecord(files: FileSystem, segment: Segment): Promise<FoundRecord | undefined> {
  for await (const { records } of pieces(files, segment)) if (records[0]) return records[0];
  return undefined;
}

interface LastScan {
  nextOffset: number;
  lastAt: number;
  missing: [number, number][];
  isCut: boolean;
}

/** Reads the newest segment whole and cuts off what follows its last record. */
async function scanLast(files: FileSystem, segment: Segment, setAside: SetAside): Promise<LastScan> {
  const name = basename(segment.path);
  const missing: [number, number][] = [];
  let nextOffset = segment.firstOffset;
  let lastAt = segment.createdAt;
  let end = SEGMENT_HEADER_BYTES;
  let isCut = true;
  let isSound = true;
  try {
    for await (const { records, bad, bytes, position } of pieces(files, segment)) {
      for (const { offset, appendedAt, position: at, end: recordEnd } of records) {
        if (offset > nextOffset) missing.push([nextOffset, offset]);
        segment.mark({ offset, position: at, appendedAt });
        nextOffset = offset + 1;
        lastAt = appendedAt;
        segment.lastAt = appendedAt;
        end = recordEnd;
      }
      for (const { from, to } of bad) {
        isSound = false;
        const more = segment.noteBad({ from, to }) === 'more';
        const why = 'a piece of the log cannot be read back, or was not written to its end';
        setAside.bytes(bytes.subarray(from - position, to - position), name, from, { why, more });
      }
    }
    if (end < segment.size) {
      const fd = files.open(segment.path, 'r+');
      try {
        files.truncate(fd, end);
      } finally {
        files.close(fd);
      }
      segment.size = end;
    }
  } catch (error) {
    isCut = false;
    setAside.lost(name, end, `the end of the log cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  // Damaged records had offsets too; which, nobody can tell.
  if ((!isSound || !isCut) && end === SEGMENT_HEADER_BYTES) nextOffset++;
  return { nextOffset, lastAt, missing, isCut };
}

interface Piece {
  records: FoundRecord[];
  bad: { from: number; to: number }[];
  bytes: Buffer;
  position: number;
}

/** A segment's records, a piece of the file at a time. */
async function* pieces(files: FileSystem, segment: Segment): AsyncGenerator<Piece> {
  const fd = files.open(segment.path, 'r');
  try {
    let position = SEGMENT_HEADER_BYTES;
    let minOffset = segment.firstOffset;
    let length = PIECE_BYTES;
    while (position < segment.size) {
      const buffer = Buffer.allocUnsafe(Math.min(length, segment.size - position));
      const bytes = buffer.subarray(0, await readFully(files, fd, buffer, buffer.length, position));
      const fileSize = bytes.length < buffer.length ? position + bytes.length : segment.size;
      const maxOffset = Number.MAX_SAFE_INTEGER;
      const { records, bad, end } = scanRecords(bytes, { position, fileSize, minOffset, maxOffset });
      if (end === position && end < fileSize) {
        length *= 4;
        continue;
      }
      yield { records, bad, bytes, position };
      minOffset = (records.at(-1)?.offset ?? minOffset - 1) + 1;
      position = end;
      length = PIECE_BYTES;
      if (end >= fileSize) break;
    }
  } finally {
    files.close(fd);
  }
}
