/** Reads a piece of a stream from one end to the other, beside all consumers. */
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { decodeAlert } from '../../alert.ts';
import type { Entry, ReadRange } from '../contract.ts';
import { CLOCK_STEP_MS } from '../history.ts';
import type { Session } from './link.ts';
import { ARRIVED } from './publisher.ts';

interface Piece {
  /** First sequence, and the first that is not wanted. */
  from: number;
  end: number;
  /** Nothing stored before; milliseconds since the epoch. */
  storedSince?: number;
  subject?: string;
}

/** The server has nothing more although it should: what was there was dropped meanwhile. */
const SILENCE_MS = 5_000;

/** Messages of the piece that are there, in order. */
export async function* readStream(
  { jetstream }: Session,
  stream: string,
  { from, end, storedSince, subject }: Piece,
): AsyncGenerator<JsMsg> {
  if (from >= end) return;
  const start =
    storedSince !== undefined && Number.isFinite(storedSince)
      ? { opt_start_time: new Date(storedSince).toISOString(), deliver_policy: 'by_start_time' as never }
      : { opt_start_seq: Math.max(1, from), deliver_policy: 'by_start_sequence' as never };
  const consumer = await jetstream.consumers.get(stream, {
    ...start,
    ...(subject !== undefined && { filter_subjects: subject }),
  });
  let messages: ConsumerMessages | undefined;
  try {
    if ((await consumer.info(true)).num_pending === 0) return;
    messages = await consumer.consume({ max_messages: Math.min(500, end - from) });
    let timer = setTimeout(() => messages?.close(), SILENCE_MS);
    for await (const message of messages) {
      clearTimeout(timer);
      timer = setTimeout(() => messages?.close(), SILENCE_MS);
      if (message.seq >= end) break;
      if (message.seq >= from) yield message;
      if (message.seq === end - 1 || message.info.pending === 0) break;
    }
    clearTimeout(timer);
  } finally {
    await messages?.close();
    // It would go by itself after some minutes of silence.
    await consumer.delete().catch(() => undefined);
  }
}

/** Alerts of the range up to `end`; a message that is none is left out. */
export async function* readAlerts(
  session: Session,
  stream: string,
  range: ReadRange,
  end: number,
): AsyncGenerator<Entry> {
  const { fromOffset = 1, since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = range;
  // An alert is stored when it has arrived or, out of a buffer, later: never before, but for clocks that differ.
  const storedSince = range.fromOffset === undefined ? since - CLOCK_STEP_MS : undefined;
  for await (const message of readStream(session, stream, { from: fromOffset, end, storedSince })) {
    const appendedAt = Number(message.headers?.get(ARRIVED)) || message.time.getTime();
    if (appendedAt < since || appendedAt > until) continue;
    try {
      yield { offset: message.seq, appendedAt, alert: decodeAlert(Buffer.from(message.data)) };
    } catch {
      // The consumers of the outputs count and log it.
    }
  }
}
