/** The compressions that kafkajs leaves to its users. Only the way out: this client reads no records. */
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import type * as Kafkajs from 'kafkajs';
import { toLz4Frame } from './lz4.ts';

export type Compression = 'NONE' | 'GZIP' | 'SNAPPY' | 'LZ4' | 'ZSTD';

type Compress = (data: Buffer) => Promise<Buffer> | Buffer;

const zstd = promisify(zstdCompress);

// What Java's SnappyInputStream (xerial) looks for: magic, version 1, readable by version 1; then blocks with length.
const XERIAL_HEADER = Buffer.from('82534e4150505900' + '0000000100000001', 'hex');
const XERIAL_BLOCK_BYTES = 32 * 1024;

/** Packs data as the Java client does: a header, then blocks of raw Snappy, each behind its length. */
export function toXerialSnappy(data: Buffer, compress: (block: Buffer) => Buffer): Buffer {
  const parts: Buffer[] = [XERIAL_HEADER];
  for (let start = 0; start < data.length; start += XERIAL_BLOCK_BYTES) {
    const block = compress(data.subarray(start, start + XERIAL_BLOCK_BYTES));
    const size = Buffer.alloc(4);
    size.writeInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}

/** Teaches kafkajs a compression (its list of codecs is one for the process); returns its number for kafkajs. */
export async function useCompression(
  kafkajs: Pick<typeof Kafkajs, 'CompressionCodecs' | 'CompressionTypes'>,
  name: Compression,
): Promise<Kafkajs.CompressionTypes> {
  const { CompressionCodecs: codecs, CompressionTypes: types } = kafkajs;
  switch (name) {
    case 'NONE':
      return types.None;
    case 'GZIP':
      return types.GZIP;
    case 'SNAPPY': {
      const { compress } = await import('snappyjs');
      codecs[types.Snappy] = () => codec(data => toXerialSnappy(data, compress));
      return types.Snappy;
    }
    case 'LZ4':
      codecs[types.LZ4] = () => codec(toLz4Frame);
      return types.LZ4;
    case 'ZSTD':
      codecs[types.ZSTD] = () => codec(zstd);
      return types.ZSTD;
  }
}

function codec(compress: Compress) {
  return {
    compress: async (encoder: { buffer: Buffer }) => compress(encoder.buffer),
    decompress: async () => {
      throw new Error('reading compressed records is not supported');
    },
  };
}
