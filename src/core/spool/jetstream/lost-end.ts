/** What of the messages that are known here the server still has: one that crashes may come back without its newest. */
import type { JetStreamManager } from '@nats-io/jetstream';

/** A message as it was handed out. */
export interface Stored {
  /** Sequence in the stream. */
  readonly offset: number;
  /** When the stream stored it, in nanoseconds since the epoch as far as a double has them; tells it from others there. */
  readonly storedAt: number;
}

/**
 * The lowest sequence of which the stream does not have the message any more that is known here; infinity when it has
 * the newest of them, and so all. A server gives the sequences from there on to new messages.
 * @param isThere asks the server whether it has the message
 */
export async function lostFrom(
  known: readonly Stored[],
  isThere: (message: Stored) => Promise<boolean>,
): Promise<number> {
  const newest = known.reduce<Stored | undefined>((a, b) => (a && a.offset >= b.offset ? a : b), undefined);
  if (!newest || (await isThere(newest))) return Number.POSITIVE_INFINITY;
  const sorted = [...known].sort((a, b) => a.offset - b.offset);
  let [from, to] = [0, sorted.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (await isThere(sorted[middle]!)) from = middle + 1;
    else to = middle;
  }
  return sorted[from]!.offset;
}

/** Whether the stream has that message. @throws JetStreamApiError when the server cannot tell */
export async function hasMessage(
  manager: JetStreamManager,
  stream: string,
  { offset, storedAt }: Stored,
): Promise<boolean> {
  const found = await manager.streams.getMessage(stream, { seq: offset });
  return found !== null && nanosOf(found.timestamp) === storedAt;
}

/** Nanoseconds since the epoch of a time as the server writes it (RFC 3339), rounded as the client rounds them. */
export function nanosOf(timestamp: string): number {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  const seconds = Date.parse(timestamp.replace(/\.\d+/, '')) / 1000;
  return Number(`${seconds}${fraction.padEnd(9, '0').slice(0, 9)}`);
}
