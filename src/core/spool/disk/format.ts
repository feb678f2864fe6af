/** Bytes of the log files, version 1. docs/spool-format.md describes them. Pure. */
import { crc32 } from 'node:zlib';
import { encodeInto } from '../../alert/alert.ts';
import type { Entry } from '../contract.ts';

export const FORMAT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 32;
export const RECORD_HEADER_BYTES = 24;
/** A record that claims more is damaged. */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024;

/** Bytes of the largest payload in a log of at most `maxBytes`: a larger one would have to push out all others, and itself. */
export function largestPayload(maxBytes: number): number {
  return Math.min(MAX_PAYLOAD_BYTES, maxBytes - SEGMENT_HEADER_BYTES - RECORD_HEADER_BYTES);
}

const MAGIC = Buffer.from('TIERCEL\n');
/** Starts each record. 0xf5 stands in no UTF-8 text, so no alert can hold it. */
const MARKER = Buffer.from([0xf5, 0x54]);
const MARKER_VALUE = MARKER.readUInt16LE();
const KIND_ALERT = 1;

export interface SegmentHeader {
  version: number;
  firstOffset: number;
  /** When its first record was appended, in milliseconds since the epoch. */
  createdAt: number;
}

export function encodeSegmentHeader({ version, firstOffset, createdAt }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUIntLE(firstOffset, 12, 6);
  bytes.writeUIntLE(createdAt, 18, 6);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** Undefined when the bytes are no segment header. */
export function parseSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  if (bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28))) return undefined;
  return {
    version: bytes.readUInt32LE(8),
    firstOffset: bytes.readUIntLE(12, 6),
    createdAt: bytes.readUIntLE(18, 6),
  };
}

/** Writes an entry's record into the target, which has room for it; where it ends. */
export function encodeRecord(target: Buffer, at: number, { offset, appendedAt, alert }: Entry): number {
  const end = at + RECORD_HEADER_BYTES + alert.byteLength;
  target.writeUInt16LE(MARKER_VALUE, at);
  target.writeUInt16LE(KIND_ALERT, at + 6);
  target.writeUInt32LE(alert.byteLength, at + 8);
  target.writeUIntLE(offset, at + 12, 6);
  target.writeUIntLE(appendedAt, at + 18, 6);
  encodeInto(alert, target, at + RECORD_HEADER_BYTES);
  target.writeUInt32LE(crc32(target.subarray(at + 6, end)), at + 2);
  return end;
}

/** A record found in a piece of a file. Positions are the file's. */
export interface FoundRecord {
  offset: number;
  appendedAt: number;
  position: number;
  end: number;
  /** A view into the bytes that were scanned. */
  payload: Buffer;
}

/** A stretch of a file that cannot be read. */
export interface BadStretch {
  from: number;
  to: number;
}

export interface ScanResult {
  records: FoundRecord[];
  bad: BadStretch[];
  /** Where to go on: everything before is a record or bad. */
  end: number;
}

export interface ScanBounds {
  /** Position in the file of the first byte given. */
  position: number;
  /** Bytes in the file. */
  fileSize: number;
  /** Offsets have to lie from `minOffset` to `maxOffset` (exclusive), and ascend. */
  minOffset: number;
  maxOffset: number;
}

const SHORT = 1;
const BAD = 2;

/**
 * Reads the records in a piece of a file, passing over what is damaged. Stops before a record that goes on beyond
 * the piece; when that is the first one, `end` equals `position` and a longer piece is needed.
 */
export function scanRecords(bytes: Buffer, bounds: ScanBounds): ScanResult {
  const { position, fileSize } = bounds;
  const atFileEnd = position + bytes.length >= fileSize;
  const records: FoundRecord[] = [];
  const bad: BadStretch[] = [];
  let minOffset = bounds.minOffset;
  let at = 0;
  while (at < bytes.length) {
    const found = recordAt(bytes, at, bounds, minOffset);
    if (typeof found === 'object') {
      records.push(found);
      minOffset = found.offset + 1;
      at = found.end - position;
      continue;
    }
    if (found === SHORT && !atFileEnd) break;
    const next = resync(bytes, at + 1, bounds, minOffset, atFileEnd);
    bad.push({ from: position + at, to: position + next });
    at = next;
  }
  return { records, bad, end: position + at };
}

/** Where the next record may start. */
function resync(
  bytes: Buffer,
  from: number,
  bounds: ScanBounds,
  minOffset: number,
  atFileEnd: boolean,
): number {
  for (let at = bytes.indexOf(MARKER, from); at >= 0; at = bytes.indexOf(MARKER, at + 1)) {
    const found = recordAt(bytes, at, bounds, minOffset);
    if (typeof found === 'object' || (found === SHORT && !atFileEnd)) return at;
  }
  // The last byte may be the first half of a marker.
  return atFileEnd ? bytes.length : Math.max(from, bytes.length - 1);
}

function recordAt(
  bytes: Buffer,
  at: number,
  { position, fileSize, maxOffset }: ScanBounds,
  minOffset: number,
): FoundRecord | typeof SHORT | typeof BAD {
  if (bytes.length - at < RECORD_HEADER_BYTES) {
    return position + at + RECORD_HEADER_BYTES > fileSize ? BAD : SHORT;
  }
  if (bytes.readUInt16LE(at) !== MARKER_VALUE || bytes.readUInt16LE(at + 6) !== KIND_ALERT) return BAD;
  const length = bytes.readUInt32LE(at + 8);
  const offset = bytes.readUIntLE(at + 12, 6);
  const end = at + RECORD_HEADER_BYTES + length;
  if (length > MAX_PAYLOAD_BYTES || position + end > fileSize) return BAD;
  if (offset < minOffset || offset >= maxOffset) return BAD;
  if (end > bytes.length) return SHORT;
  if (crc32(bytes.subarray(at + 6, end)) !== bytes.readUInt32LE(at + 2)) return BAD;
  return {
    offset,
    appendedAt: bytes.readUIntLE(at + 18, 6),
    position: position + at,
    end: position + end,
    payload: bytes.subarray(at + RECORD_HEADER_BYTES, end),
  };
}

const SEGMENT_NAME = /^\d{16}\.log$/;

/** File name of the segment that starts at the offset: names sort as offsets do. */
export function segmentName(firstOffset: number): string {
  return `${String(firstOffset).padStart(16, '0')}.log`;
}

/** The first offset that a file name tells; undefined when it is no segment's name. */
export function parseSegmentName(name: string): number | undefined {
  return SEGMENT_NAME.test(name) ? Number(name.slice(0, 16)) : undefined;
}
