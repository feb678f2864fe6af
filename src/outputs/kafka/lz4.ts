/**
 * LZ4 frames as Kafka's Java client reads them: independent blocks of 64 KiB, no checksums of content.
 * Format: github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md (both 2024).
 */

const BLOCK_BYTES = 64 * 1024;
const MIN_MATCH = 4;
// Rules for the end of a block: the last five bytes are literals, the last match starts twelve before the end.
const LAST_LITERALS = 5;
const MATCH_MARGIN = 12;
const TABLE_BITS = 14;
const STORED = 0x8000_0000;
// Magic, version 1 with independent blocks, block size 64 KiB, and the header's checksum, which is the same for all.
const HEADER = Buffer.from('04224d18604082', 'hex');
const END = Buffer.alloc(4);

const table = new Int32Array(1 << TABLE_BITS);

/** Packs data into one frame. */
export function toLz4Frame(data: Buffer): Buffer {
  const parts: Buffer[] = [HEADER];
  for (let start = 0; start < data.length; start += BLOCK_BYTES) {
    const block = data.subarray(start, start + BLOCK_BYTES);
    const packed = packBlock(block);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(packed ? packed.length : (STORED | block.length) >>> 0);
    parts.push(size, packed ?? block);
  }
  parts.push(END);
  return Buffer.concat(parts);
}

/** A block in fewer bytes than it has; undefined when that cannot be done. */
function packBlock(source: Buffer): Buffer | undefined {
  const target = Buffer.allocUnsafe(source.length);
  const lastMatch = source.length - MATCH_MARGIN;
  const matchEnd = source.length - LAST_LITERALS;
  table.fill(0);
  let written = 0;
  let anchor = 0;
  let at = 0;
  while (at <= lastMatch) {
    const word = source.readInt32LE(at);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - TABLE_BITS);
    const candidate = table[slot]! - 1;
    table[slot] = at + 1;
    if (candidate < 0 || source.readInt32LE(candidate) !== word) {
      // Longer steps the longer nothing repeats.
      at += 1 + ((at - anchor) >> 6);
      continue;
    }
    let length = MIN_MATCH;
    while (at + length < matchEnd && source[at + length] === source[candidate + length]) length++;
    written = writeSequence(target, written, source.subarray(anchor, at), { offset: at - candidate, length });
    if (written < 0) return undefined;
    at += length;
    anchor = at;
  }
  written = writeSequence(target, written, source.subarray(anchor));
  return written < 0 ? undefined : target.subarray(0, written);
}

/** Literals and the match behind them; the new end, or -1 when the room does not suffice. */
function writeSequence(
  target: Buffer,
  start: number,
  literals: Buffer,
  match?: { offset: number; length: number },
): number {
  const repeats = match ? match.length - MIN_MATCH : 0;
  const worst = 1 + literals.length / 255 + 1 + literals.length + 2 + repeats / 255 + 1;
  if (start + worst > target.length) return -1;
  let at = start;
  target[at++] = (Math.min(literals.length, 15) << 4) | Math.min(repeats, 15);
  at = writeRest(target, at, literals.length);
  at += literals.copy(target, at);
  if (!match) return at;
  at = target.writeUInt16LE(match.offset, at);
  return writeRest(target, at, repeats);
}

/** What of a length does not fit the four bits of the token. */
function writeRest(target: Buffer, start: number, length: number): number {
  let at = start;
  if (length < 15) return at;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) target[at++] = 255;
  target[at++] = rest;
  return at;
}
