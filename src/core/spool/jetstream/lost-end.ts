/**
 * A server that crashes may come back without the newest messages of its stream: a power cut, an older copy of the data.
 * New messages get their sequences, and are passed over at consumers that have handed out those.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { Session } from './link.ts';
import type { Names } from './names.ts';

/** A message as it was handed out. */
export interface Stored {
  /** Sequence in the stream. */
  readonly offset: number;
  /** When the stream stored it, in nanoseconds since the epoch as far as a double has them; tells it from others there. */
  readonly storedAt: number;
}

/** Fillers published at once. */
const FILL_BATCH = 1_000;
/** Nodes of a cluster that has just started come to one state within some seconds. */
const LOOKS = 5;
const LOOK_AGAIN_MS = 1_000;

/** What has become of a message: it is there, it is lost, or others may be in its place and in those before it. */
export type Fate = 'there' | 'lost' | 'replaced';

/**
 * Asks the server what has become of the newest message that somebody knows of; twice when it is not there.
 * @throws JetStreamApiError when the server cannot tell
 */
export async function fateOf(
  manager: JetStreamManager,
  stream: string,
  { offset, storedAt }: Stored,
): Promise<Fate> {
  for (let look = 1; ; look++) {
    const found = await manager.streams.getMessage(stream, { seq: offset });
    if (found && nanosOf(found.timestamp) === storedAt) return 'there';
    if (look === 2) break;
    await lookAgain();
  }
  const { state } = await manager.streams.info(stream);
  const last = state.messages > 0 ? await manager.streams.getMessage(stream, { seq: state.last_seq }) : null;
  return last && nanosOf(last.timestamp) > storedAt ? 'replaced' : 'lost';
}

/** Whether a message only takes the place of a lost one. No alert is empty. */
export function isFiller({ data }: Pick<JsMsg, 'data'>): boolean {
  return data.length === 0;
}

/**
 * Puts fillers into the places of lost messages, up to the newest that anybody is known to have seen. Nothing of that
 * has to be exact: a filler too many is only passed over, so replicas need not take turns.
 * @param known the highest sequence that this process has seen
 * @returns how many fillers there are now
 * @throws Error when the server does not take them, or does not answer
 */
export async function fillEnd(
  session: Session,
  { stream, subject }: Names['alerts'],
  known: number,
): Promise<number> {
  const { manager } = session;
  for (let look = 1; ; look++) {
    const consumers = new Map<string, number>();
    for await (const { name, delivered } of manager.consumers.list(stream))
      consumers.set(name, delivered.stream_seq);
    // Asked for second: what consumers have handed out is in it.
    const { state } = await manager.streams.info(stream);
    const reached = Math.max(known, ...consumers.values());
    // A cluster leaves those out whose leader does not answer in time.
    const isWhole = consumers.size >= state.consumer_count;
    if (isWhole && state.last_seq >= reached) return 0;
    if (look < (isWhole ? 2 : LOOKS)) await lookAgain();
    else return fill(session, subject, state.last_seq, reached);
  }
}

/** Publishes until the newest message has that sequence. */
async function fill({ jetstream }: Session, subject: string, from: number, to: number): Promise<number> {
  let last = from;
  let count = 0;
  while (last < to) {
    const batch = Array.from({ length: Math.min(FILL_BATCH, to - last) }, () => jetstream.publish(subject));
    for (const { seq } of await Promise.all(batch)) last = Math.max(last, seq);
    count += batch.length;
  }
  return count;
}

function lookAgain(): Promise<void> {
  return sleep(LOOK_AGAIN_MS, undefined, { ref: false });
}

/** Nanoseconds since the epoch of a time as the server writes it (RFC 3339), rounded as the client rounds them. */
export function nanosOf(timestamp: string): number {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  const seconds = Date.parse(timestamp.replace(/\.\d+/, '')) / 1000;
  return Number(`${seconds}${fraction.padEnd(9, '0').slice(0, 9)}`);
}
