import type { Host } from '../../core/contract.ts';
import { toAttributes } from '../_kit/otlp/messages.ts';
import type { Message } from '../_kit/protobuf.ts';
import type { Series } from './counter.ts';

/** AGGREGATION_TEMPORALITY_CUMULATIVE */
const CUMULATIVE = 2;

/** A counter with points that stand for all that was counted since the start. Times in milliseconds since the epoch. */
export function toSum(
  name: string,
  points: readonly Series[],
  time: { startMs: number; nowMs: number },
): Message {
  const nanos = (ms: number) => BigInt(Math.floor(ms)) * 1_000_000n;
  return {
    name,
    sum: {
      dataPoints: points.map(({ attributes, value }) => ({
        attributes,
        startTimeUnixNano: nanos(time.startMs),
        timeUnixNano: nanos(time.nowMs),
        asInt: BigInt(value),
      })),
      aggregationTemporality: CUMULATIVE,
      isMonotonic: true,
    },
  };
}

/** The daemon's own counts of one kind as series. */
export function toSeries(
  counts: ReturnType<NonNullable<Host['counts']>>,
  of: 'inputs' | 'outputs',
): Series[] {
  return counts
    .filter(count => count.of === of)
    .map(({ labels, value }) => ({ attributes: toAttributes(Object.entries(labels)), value }));
}
