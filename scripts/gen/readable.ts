/** The body of a request as a person can read it: unpacked, OTLP's binary messages and Parquet files as JSON. */
import { gunzipSync } from 'node:zlib';
import { LOGS, METRICS, TRACES } from '../../src/outputs/_kit/otlp/messages.ts';
import { decode } from '../../src/outputs/_kit/protobuf.ts';
import { readParquet } from './parquet.ts';

export interface SentBody {
  /** URL, or the path alone. */
  url: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  body: Buffer | string | undefined;
}

export function readableBody({ url, headers, body = '' }: SentBody): string {
  const sent = Buffer.from(body);
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
  if (plain.toString('latin1', 0, 4) === 'PAR1') return toJson(readParquet(plain));
  const signal = [TRACES, LOGS, METRICS].find(({ name }) => url.includes(`/v1/${name}`));
  if (headers['content-type'] !== 'application/x-protobuf' || !signal) return plain.toString();
  return toJson(decode(signal.request, plain));
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_name, inner) => {
    if (typeof inner === 'bigint') return String(inner);
    const bytes = inner as { type?: string; data?: number[] } | null;
    return bytes?.type === 'Buffer' ? Buffer.from(bytes.data!).toString('hex') : inner;
  });
}
