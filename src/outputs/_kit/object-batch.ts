/** Several alerts in one object of a store: lines of JSON, compressed. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Alert } from '../../core/contract.ts';
import { text } from '../../core/keys.ts';
import { batchingKey } from './batching.ts';
import { DEFAULT_LAYOUT, layoutProblem } from './object-name.ts';

const compress = promisify(gzip);
const NEWLINE = Buffer.from('\n');

/** All of a batch is held in memory, packed and unpacked. */
export const OBJECT_LIMITS = { items: 50_000, bytes: 32 * 1024 * 1024 };

/** What a packed object is. Its name ends in `.gz`: as an encoding besides, readers would unpack it twice. */
export const PACKED_TYPE = 'application/gzip';

/** The keys of outputs that can put several alerts into one object. */
export const objectBatchKeys = {
  // Small objects are slow and dear to read; an alert is safe in the spool meanwhile.
  batching: batchingKey('Several alerts in one object, as lines of JSON compressed with gzip.', {
    batchsize: '16MiB',
    flushinterval: '1m',
  }),
  layout: text(
    'Folders of the objects of `batching` below the prefix, by the time of sending in UTC: {date}, {year}, {month}, {day} and {hour}.',
    DEFAULT_LAYOUT,
  ),
};

/** For `check`. */
export function layoutProblems({ layout }: { layout: string }): { path: string; message: string }[] {
  const message = layoutProblem(layout);
  return message === undefined ? [] : [{ path: 'layout', message }];
}

/** Each alert's JSON on a line of its own, compressed. */
export function packLines(alerts: readonly Alert[]): Promise<Buffer> {
  return compress(Buffer.concat(alerts.flatMap(({ bytes }) => [bytes, NEWLINE])));
}
