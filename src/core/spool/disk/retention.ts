/** Which of the oldest segments go. Pure. */

/** What matters of a segment. */
export interface SegmentAge {
  bytes: number;
  /** When its last entry was appended, in milliseconds since the epoch. */
  lastAt: number;
  /** Every consumer is past it. */
  isSettled: boolean;
  /** It is the one that is written to. */
  isNewest: boolean;
}

export interface RetentionLimits {
  /** Unread alerts older than this go; 0: never. */
  maxAgeMs: number;
  historyBytes: number;
  historyAgeMs: number;
}

/** How many segments go from the front: read ones beyond the history, unread ones that are too old. */
export function countExpired(segments: readonly SegmentAge[], limits: RetentionLimits, now: number): number {
  const { maxAgeMs, historyBytes, historyAgeMs } = limits;
  let history = 0;
  for (const segment of segments) if (segment.isSettled) history += segment.bytes;
  let count = 0;
  for (const { bytes, lastAt, isSettled, isNewest } of segments) {
    const age = now - lastAt;
    const isTooOld = maxAgeMs > 0 && age > maxAgeMs;
    const isPastHistory = isSettled && (age > historyAgeMs || (history > historyBytes && !isNewest));
    if (!isTooOld && !isPastHistory) break;
    if (isSettled) history -= bytes;
    count++;
  }
  return count;
}

/** How many segments have to go from the front for `needed` more bytes; fewer when the rest must stay. */
export function countForRoom(
  segments: readonly SegmentAge[],
  { needed, maxBytes, onlySettled }: { needed: number; maxBytes: number; onlySettled: boolean },
): number {
  let total = needed;
  for (const segment of segments) total += segment.bytes;
  let count = 0;
  for (const { bytes, isSettled } of segments) {
    if (total <= maxBytes || (onlySettled && !isSettled)) break;
    total -= bytes;
    count++;
  }
  return count;
}
