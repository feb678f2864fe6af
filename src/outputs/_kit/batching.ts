/** falcosidekick's `batching` keys, for APIs where one request for several alerts has to be asked for. */
import type { BatchLimits } from '../../core/contract.ts';
import { duration, flag, group, size } from '../../core/keys.ts';

const DEFAULT_BYTES = 5 * 1024 * 1024;
const DEFAULT_WAIT_MS = 1000;

/** The key `batching`. */
export function batchingKey() {
  return group('Several alerts in one request.', {
    enabled: flag('Turns it on.'),
    batchsize: size('Most bytes of alerts in one request.', '5MiB'),
    flushinterval: duration('How long to wait for more alerts after the first.', '1s'),
  });
}

/** What the key gives. */
export interface Batching {
  enabled: boolean;
  batchsize: number;
  flushinterval: number;
}

/** For `batchBy`. Zeros stand for the defaults, as in falcosidekick. */
export function batchingLimits(batching: Batching, most: Pick<BatchLimits, 'items' | 'bytes'>) {
  if (!batching.enabled) return undefined;
  return {
    items: most.items,
    bytes: Math.min(batching.batchsize || DEFAULT_BYTES, most.bytes),
    waitMs: batching.flushinterval || DEFAULT_WAIT_MS,
  };
}
