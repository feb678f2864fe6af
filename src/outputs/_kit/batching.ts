/** falcosidekick's `batching` keys, for APIs where one request for several alerts has to be asked for. */
import type { BatchLimits } from '../../core/contract.ts';
import { flag, group, parseDuration, parseSize, size, wait } from '../../core/keys.ts';

/**
 * How long batches gather where nothing else says: an alert is seen at once, and at 1,000 a second a request still carries 20. Under
 * load batches grow by themselves, as what comes in waits for a free request.
 */
export const BATCH_WAIT_MS = 20;

/** The usual settings, as texts. */
interface Defaults {
  batchsize: string;
  flushinterval: string;
}

const USUAL: Defaults = { batchsize: '5MiB', flushinterval: '1s' };

/** The key `batching`. */
export function batchingKey(description = 'Several alerts in one request.', defaults: Defaults = USUAL) {
  return group(description, {
    enabled: flag('Turns it on.'),
    batchsize: size('Most bytes of alerts in one request.', defaults.batchsize),
    flushinterval: wait('How long to wait for more alerts after the first.', defaults.flushinterval),
  });
}

/** What the key gives. */
export interface Batching {
  enabled: boolean;
  batchsize: number;
  flushinterval: number;
}

/** For `batchBy`. Zeros stand for the usual settings, as in falcosidekick. */
export function batchingLimits(batching: Batching, most: Pick<BatchLimits, 'items' | 'bytes'>) {
  if (!batching.enabled) return undefined;
  return {
    items: most.items,
    bytes: Math.min(batching.batchsize || parseSize(USUAL.batchsize)!, most.bytes),
    waitMs: batching.flushinterval || parseDuration(USUAL.flushinterval)!,
  };
}
