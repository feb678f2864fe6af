/** Drops from the stream what every output has settled and the history does not keep. */
import type { StreamInfo } from '@nats-io/jetstream';
import type { SpoolConfig } from '../../config/types.ts';
import type { Session } from './link.ts';

/** A stretch of the stream, by sequence: `first` up to and not with `end`. */
export interface Stretch {
  first: number;
  end: number;
}

/**
 * The first sequence at or after `first` that was stored at `time` or later; `end` when there is none. Times in a stream
 * never go back, so a few looks are enough.
 */
export async function firstSince(
  { first, end }: Stretch,
  time: number,
  storedAt: (seq: number) => Promise<number | undefined>,
): Promise<number> {
  let low = first;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = await storedAt(middle);
    // What is missing was dropped a moment ago: older than all that is there.
    if (at === undefined || at < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lowest sequence that some consumer has not settled; the end of the stream when there is none. */
export async function lowestUnsettled({ manager }: Session, stream: string, end: number): Promise<number> {
  let lowest = end;
  for await (const { ack_floor, num_pending, num_ack_pending } of manager.consumers.list(stream)) {
    if (num_pending + num_ack_pending > 0) lowest = Math.min(lowest, ack_floor.stream_seq + 1);
  }
  return lowest;
}

/** Drops settled alerts beyond the history's bytes and age; with `all` every settled one. */
export async function trimStream(
  session: Session,
  { state, config: { name } }: StreamInfo,
  config: Pick<SpoolConfig, 'historyBytes' | 'historyAgeMs'>,
  now: number,
  all = false,
): Promise<void> {
  if (state.messages === 0) return;
  const settled = { first: state.first_seq, end: await lowestUnsettled(session, name, state.last_seq + 1) };
  if (settled.end <= settled.first) return;
  // Sizes of single messages are not known: they are taken for about equal.
  const kept = Math.floor(config.historyBytes / (state.bytes / state.messages));
  const byBytes = Math.max(settled.first, settled.end - kept);
  const storedAt = async (seq: number) => {
    const message = await session.manager.direct.getMessage(name, { seq }).catch(() => null);
    return message?.time.getTime();
  };
  const floor = all
    ? settled.end
    : await firstSince({ first: byBytes, end: settled.end }, now - config.historyAgeMs, storedAt);
  if (floor > settled.first) await session.manager.streams.purge(name, { seq: floor });
}
