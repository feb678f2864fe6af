/** The body of a request as a person can read it: unpacked, and OTLP's binary messages as JSON. */
import { gunzipSync } from 'node:zlib';
import { LOGS, METRICS, TRACES } from '../../src/outputs/_kit/otlp/messages.ts';
import { decode } from '../../src/outputs/_kit/protobuf.ts';

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
  const signal = [TRACES, LOGS, METRICS].find(({ name }) => url.includes(`/v1/${name}`));
  if (headers['content-type'] !== 'application/x-protobuf' || !signal) return plain.toString();
  return JSON.stringify(decode(signal.request, plain), (_name, value) => {
    if (typeof value === 'bigint') return String(value);
    const bytes = value as { type?: string; data?: number[] } | null;
    return bytes?.type === 'Buffer' ? Buffer.from(bytes.data!).toString('hex') : value;
  });
}
