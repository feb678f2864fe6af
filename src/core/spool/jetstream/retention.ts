/** Drops from the stream what every output has settled and the history does not keep. */
import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream';
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

/**
 * The sequence up to and including which a consumer has settled all. Not by `num_pending`: the copy of the stream that a
 * consumer's leader counts in may be behind the stream's own, and what it has not seen it does not call pending.
 */
export function ackFloorOf({
  delivered,
  ack_floor,
  num_ack_pending,
}: Pick<ConsumerInfo, 'delivered' | 'ack_floor' | 'num_ack_pending'>): number {
  return num_ack_pending === 0 ? delivered.stream_seq : ack_floor.stream_seq;
}

/**
 * The lowest sequence that some consumer has not settled, at most the end of the stream. 0 when not every consumer is
 * known: a cluster leaves those out of its list whose leader does not answer in time.
 */
async function lowestUnsettled({ manager }: Session, { state, config }: StreamInfo): Promise<number> {
  const floors = new Map<string, number>();
  for await (const info of manager.consumers.list(config.name)) floors.set(info.name, ackFloorOf(info));
  if (floors.size < state.consumer_count) return 0;
  return Math.min(state.last_seq, ...floors.values()) + 1;
}

/** Drops settled alerts beyond the history's bytes and age; with `all` every settled one. */
export async function trimStream(
  session: Session,
  info: StreamInfo,
  config: Pick<SpoolConfig, 'historyBytes' | 'historyAgeMs'>,
  now: number,
  all = false,
): Promise<void> {
  const { state } = info;
  const { name } = info.config;
  if (state.messages === 0) return;
  const settled = { first: state.first_seq, end: await lowestUnsettled(session, info) };
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
