import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toLz4Frame } from '../../../../src/outputs/kafka/lz4.ts';

/** Reads a frame by the letter of the format, rules for the end of a block included. */
function readFrame(frame: Buffer): Buffer {
  expect(frame.subarray(0, 7).toString('hex')).toBe('04224d18604082');
  const blocks: Buffer[] = [];
  let at = 7;
  for (;;) {
    const size = frame.readUInt32LE(at);
    at += 4;
    if (size === 0) break;
    const length = size & 0x7fff_ffff;
    const block = frame.subarray(at, at + length);
    blocks.push(size & 0x8000_0000 ? block : readBlock(block));
    at += length;
  }
  expect(at).toBe(frame.length);
  return Buffer.concat(blocks);
}

function readBlock(block: Buffer): Buffer {
  const out: number[] = [];
  const starts: number[] = [];
  let at = 0;
  const lengthOf = (nibble: number) => {
    let length = nibble;
    if (nibble === 15) {
      let more: number;
      do {
        more = block[at++]!;
        length += more;
      } while (more === 255);
    }
    return length;
  };
  for (;;) {
    const token = block[at++]!;
    const literals = lengthOf(token >> 4);
    out.push(...block.subarray(at, at + literals));
    at += literals;
    if (at >= block.length) {
      if (starts.length > 0) {
        expect(literals).toBeGreaterThanOrEqual(5);
        expect(starts.at(-1)!).toBeLessThanOrEqual(out.length - 12);
      }
      return Buffer.from(out);
    }
    const offset = block.readUInt16LE(at);
    at += 2;
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThanOrEqual(out.length);
    starts.push(out.length);
    for (let left = lengthOf(token & 15) + 4; left > 0; left--) out.push(out[out.length - offset]!);
  }
}

describe('toLz4Frame', () => {
  test('any bytes come back', () => {
    const repeated = fc
      .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 })), {
        maxLength: 30,
      })
      .map(parts =>
        Buffer.concat(parts.flatMap(([bytes, times]) => Array(times).fill(bytes) as Uint8Array[])),
      );
    fc.assert(
      fc.property(fc.oneof(repeated, fc.uint8Array({ maxLength: 3000 }).map(Buffer.from)), data => {
        expect(readFrame(toLz4Frame(data)).equals(data)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('several blocks, lengths over 255 and text come back smaller', () => {
    const data = Buffer.concat([
      Buffer.alloc(100_000, 'a'),
      Buffer.from(
        Array.from({ length: 3000 }, (_, index) => `{"rule":"Shell opened","n":${index}}`).join('\n'),
      ),
    ]);
    const frame = toLz4Frame(data);
    expect(readFrame(frame).equals(data)).toBe(true);
    expect(frame.length).toBeLessThan(data.length / 3);
  });
});
