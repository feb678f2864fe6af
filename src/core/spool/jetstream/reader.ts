/** Reads a piece of a stream from one end to the other, beside all consumers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsMsg } from '@nats-io/jetstream';
import { decodeAlert } from '../../alert/alert.ts';
import { toFailure } from '../../nats/failures.ts';
import { type Entry, type ReadRange, SpoolFaultError } from '../contract.ts';
import { CLOCK_STEP_MS } from '../history.ts';
import type { Session } from './link.ts';
import { ARRIVED } from './publisher.ts';
import { codeOf } from './setup.ts';

interface Piece {
  /** First sequence, and the first that is not wanted. */
  from: number;
  end: number;
  /** Nothing stored before; milliseconds since the epoch. */
  storedSince?: number;
  subject?: string;
}

/** Messages read at once, and their bytes. Between two pages nothing is open on the server: a replay may take its time. */
const PAGE = 500;
const PAGE_BYTES = 16 * 2 ** 20;
/** Nothing more comes of a page although it should: what was there was dropped meanwhile, or the server is gone. */
const SILENCE_MS = 5_000;
/** How long a node of the cluster may be behind the stream's leader, and how often it is looked at meanwhile. */
const BEHIND_MS = 5_000;
const LOOK_AGAIN_MS = 100;
/** Nobody takes a request: a consumer has just been made on a node that the one which was asked has not heard from yet. */
const NO_RESPONDERS = 503;

/**
 * Messages of the piece that are there, in order.
 * @throws SpoolFaultError when the server does not give them
 */
export async function* readStream(session: Session, stream: string, piece: Piece): AsyncGenerator<JsMsg> {
  let rest = piece;
  let behindSince: number | undefined;
  while (rest.from < rest.end) {
    const page = await readPage(session, stream, rest).catch(error => {
      if (codeOf(error) === NO_RESPONDERS) return [];
      throw toFault(`the stream ${stream} cannot be read`, error);
    });
    for (const message of page) {
      if (message.seq >= rest.end) return;
      if (message.seq >= rest.from) yield message;
    }
    const last = page.at(-1);
    if (last) {
      rest = { ...rest, from: Math.max(rest.from, last.seq + 1), storedSince: undefined };
      behindSince = undefined;
      continue;
    }
    if (!(await hasMore(session, stream, rest))) return;
    behindSince ??= performance.now();
    if (performance.now() - behindSince > BEHIND_MS) {
      throw new SpoolFaultError(`the stream ${stream} cannot be read: a NATS node is behind its leader`);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Whether the stream's leader has messages of the piece, or later ones: the node that was asked may be behind. */
async function hasMore(
  { manager }: Session,
  stream: string,
  { from, storedSince = Number.NEGATIVE_INFINITY, subject = '>' }: Piece,
): Promise<boolean> {
  const last = await manager.streams.getMessage(stream, { last_by_subj: subject }).catch(error => {
    throw toFault(`the stream ${stream} cannot be read`, error);
  });
  return last !== null && last.seq >= from && last.time.getTime() >= storedSince;
}

/** The next messages of the piece; none when there are none where its consumer is. */
async function readPage(
  { jetstream }: Session,
  stream: string,
  { from, end, storedSince, subject }: Piece,
): Promise<JsMsg[]> {
  const start =
    storedSince !== undefined && Number.isFinite(storedSince)
      ? { opt_start_time: new Date(storedSince).toISOString(), deliver_policy: 'by_start_time' as never }
      : { opt_start_seq: Math.max(1, from), deliver_policy: 'by_start_sequence' as never };
  const consumer = await jetstream.consumers.get(stream, {
    ...start,
    ...(subject !== undefined && { filter_subjects: subject }),
  });
  try {
    const { num_pending: pending } = await consumer.info(true);
    if (pending === 0) return [];
    const messages = await consumer.fetch({ max_messages: Math.min(PAGE, pending, end - from) });
    const silence = setTimeout(() => void messages.close(), SILENCE_MS);
    const page: JsMsg[] = [];
    let bytes = 0;
    try {
      for await (const message of messages) {
        silence.refresh();
        page.push(message);
        bytes += message.data.length;
        if (bytes >= PAGE_BYTES) break;
      }
    } finally {
      clearTimeout(silence);
      await messages.close();
    }
    if (page.length === 0 && (await consumer.info()).num_pending > 0)
      throw new SpoolFaultError(`the stream ${stream} cannot be read: the server hands nothing out`);
    return page;
  } finally {
    // It would go by itself after some minutes of silence.
    consumer.delete().catch(() => undefined);
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

/** What the server has refused or not answered, as whoever reads the log or its dead letters is told. */
export function toFault(what: string, cause: unknown): SpoolFaultError {
  if (cause instanceof SpoolFaultError) return cause;
  return new SpoolFaultError(`${what}: ${toFailure(cause).message}`, { cause });
}
