/**
 * What one output may hold in memory, in alerts and in bytes of their JSON; with its text and parsed fields an alert
 * takes some four times as much. A limit in bytes may be passed by one alert, so that any can go. In all that is
 * 96 MiB, during a replay 128 MiB, and an alert each; more only where one batch may be larger than 32 MiB.
 */
import type { DeliveryConfig } from '../config/types.ts';

const MIB = 2 ** 20;

/** Alerts taken from the log ahead of their try, unless a single batch takes more. */
const MAX_GATHERED = 1024;
/** Bytes gathered, in tries and held for the sake of order, unless a single batch takes more. */
const MAX_IN_HAND_BYTES = 32 * MIB;
/** Alerts of the log that may wait for a retry while others get through; more of them where batches are large. */
const MAX_PARKED = 1024;
const MOST_PARKED = 16_384;
const MAX_PARKED_BYTES = 64 * MIB;
/** Alerts of a replay. */
const MAX_REPLAY_WINDOW = 256;

/** Bytes of a replay's alerts, whatever becomes of them. */
export const MAX_REPLAY_BYTES = 32 * MIB;
/** Alerts being written to the dead letters, beyond which no more are sent. */
export const MAX_BURYING = 256;

export interface DeliveryLimits {
  /** Most tries at once. */
  concurrency: number;
  /** Most alerts in one try. */
  batchItems: number;
  /** Most alerts taken and not in a try yet. */
  gathered: number;
  /** Bytes taken and not settled, beyond which no more are taken. */
  inHandBytes: number;
  /** Alerts and bytes that wait for a retry, beyond which new ones stay in the log. */
  parked: number;
  parkedBytes: number;
  /** Most alerts of a replay that are not settled. */
  replayWindow: number;
}

export function limitsOf({ concurrency, batch }: DeliveryConfig): DeliveryLimits {
  const tries = Math.max(1, concurrency);
  const batchItems = Math.max(1, batch?.items ?? 1);
  return {
    concurrency: tries,
    batchItems,
    gathered: Math.max(MAX_GATHERED, batchItems),
    inHandBytes: Math.max(MAX_IN_HAND_BYTES, batch?.bytes ?? 0),
    parked: Math.max(MAX_PARKED, Math.min(MOST_PARKED, tries * batchItems)),
    parkedBytes: MAX_PARKED_BYTES,
    // One more than is in flight, or the log would always be the first to have something.
    replayWindow: Math.min(MAX_REPLAY_WINDOW, tries * batchItems + 1),
  };
}
