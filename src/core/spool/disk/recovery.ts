/** Opens a folder of segments as it was left, in whatever state that is. */
import { basename, join } from 'node:path';
import { SpoolFaultError } from '../contract.ts';
import { errorCode, type FileSystem, readFully } from './files.ts';
import {
  FORMAT_VERSION,
  type FoundRecord,
  parseSegmentHeader,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  scanRecords,
} from './format.ts';
import { ReadRetries } from './read-retries.ts';
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
 * shows when they are read.
 * @throws SpoolFaultError when a file cannot be read in a way that may pass, or what the file system says of the folder
 */
export async function recoverLog(files: FileSystem, folder: string, setAside: SetAside): Promise<Recovered> {
  files.mkdir(folder);
  const found: Segment[] = [];
  const retries = new ReadRetries();
  let nextOffset = 1;
  for (const name of files.list(folder).sort()) {
    const firstOffset = parseSegmentName(name);
    if (firstOffset === undefined) {
      setAside.file(join(folder, name), name, 'not a file of the log');
      continue;
    }
    const segment = await openSegment({ files, retries, setAside }, join(folder, name), firstOffset);
    if (segment === null) continue;
    // A file that could not be moved away keeps its name to itself.
    if (!segment) nextOffset = Math.max(nextOffset, firstOffset + 1);
    else found.push(segment);
  }
  const segments = new Segments();
  const last = found.pop();
  for (const segment of found) segments.push(segment);
  if (!last) return { segments, nextOffset, lastAt: undefined, canResume: false };

  const scan = await scanLast({ files, retries, setAside }, last);
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

/** What a segment is read with. */
interface Means {
  files: FileSystem;
  retries: ReadRetries;
  setAside: SetAside;
}

/** Looks at a segment. Undefined: set aside, none of ours or damaged; null: nothing had been written yet. */
async function openSegment(
  means: Means,
  path: string,
  firstOffset: number,
): Promise<Segment | undefined | null> {
  try {
    return await readHeader(means, path, firstOffset);
  } catch (error) {
    if (error instanceof SpoolFaultError) throw error;
    means.setAside.file(path, basename(path), `a file of the log cannot be opened (${errorCode(error)})`);
    return undefined;
  }
}

async function readHeader(
  means: Means,
  path: string,
  firstOffset: number,
): Promise<Segment | undefined | null> {
  const { files, retries, setAside } = means;
  const name = basename(path);
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const size = await retries.read(name, async () => {
    const fd = files.open(path, 'r');
    try {
      await readFully(files, fd, bytes, SEGMENT_HEADER_BYTES, 0);
      return files.size(fd);
    } finally {
      files.close(fd);
    }
  });
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
  const first = await firstRecord(means, segment);
  if (!first) {
    setAside.file(path, name, 'a file of the log holds nothing that can be read');
    return undefined;
  }
  segment.noteBad({ from: 0, to: start });
  setAside.bytes(bytes, name, 0, { why: 'the header of a segment is damaged' });
  return new Segment(path, firstOffset, first.appendedAt, start, size);
}

async function firstRecord(means: Means, segment: Segment): Promise<FoundRecord | undefined> {
  for await (const { records } of pieces(means, segment)) if (records[0]) return records[0];
  return undefined;
}

interface LastScan {
  nextOffset: number;
  lastAt: number;
  missing: [number, number][];
  isCut: boolean;
}

/** Reads the newest segment whole and cuts off what follows its last record. */
async function scanLast(means: Means, segment: Segment): Promise<LastScan> {
  const { files, setAside } = means;
  const name = basename(segment.path);
  const missing: [number, number][] = [];
  let nextOffset = segment.firstOffset;
  let lastAt = segment.createdAt;
  let end = SEGMENT_HEADER_BYTES;
  let isCut = true;
  let isSound = true;
  try {
    for await (const { records, bad, bytes, position } of pieces(means, segment)) {
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
    if (error instanceof SpoolFaultError) throw error;
    isCut = false;
    setAside.lost(name, end, `the end of the log cannot be read (${errorCode(error)})`);
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
async function* pieces({ files, retries }: Means, segment: Segment): AsyncGenerator<Piece> {
  const name = basename(segment.path);
  const fd = await retries.read(name, () => files.open(segment.path, 'r'));
  try {
    let position = SEGMENT_HEADER_BYTES;
    let minOffset = segment.firstOffset;
    let length = PIECE_BYTES;
    while (position < segment.size) {
      const buffer = Buffer.allocUnsafe(Math.min(length, segment.size - position));
      const from = position;
      const count = await retries.read(name, () => readFully(files, fd, buffer, buffer.length, from));
      const bytes = buffer.subarray(0, count);
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
