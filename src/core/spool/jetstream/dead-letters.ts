/** The dead letters of all replicas, in a stream of their own: one subject for each output. */
import type { StreamInfo } from '@nats-io/jetstream';
import type * as Transport from '@nats-io/transport-node';
import { type Alert, decodeAlert } from '../../alert/alert.ts';
import type { Logger } from '../../contract.ts';
import { notAgreed } from '../../nats/failures.ts';
import { type DeadLetter, type DeadLetterFilter, type DeadLetters, SpoolFaultError } from '../contract.ts';
import { allLetters, LetterPage } from '../letters/page.ts';
import type { Link, Session } from './link.ts';
import { fromToken, type Names } from './names.ts';
import { readStream, toFault } from './reader.ts';
import { codeOf } from './setup.ts';

type NewLetter = Omit<DeadLetter, 'id'>;
type Test = (letter: DeadLetter) => boolean;

/** The stream is read from its end in steps that grow; the first one is shorter where letters are large. */
const FIRST_STEP = 256;
const LONGEST_STEP = 8192;
const UNREACHABLE = 'the dead letters cannot be reached';

export interface StreamDeadLettersOptions {
  transport: typeof Transport;
  link: Link;
  names: Names;
  log: Logger;
}

export class StreamDeadLetters implements DeadLetters {
  readonly #options: StreamDeadLettersOptions;
  #counts = new Map<string, number>();
  /** As the server said last; absent until then. */
  bytes: number | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(options: StreamDeadLettersOptions) {
    this.#options = options;
  }

  async add(letter: NewLetter): Promise<number> {
    return this.#store(letter);
  }

  /**
   * Stores the letter of an alert of the log. Giving up the same one twice makes one letter; the offset alone would not
   * do, as a stream that was made again uses it again.
   */
  async addOnce(letter: NewLetter, offset: number): Promise<void> {
    await this.#store(letter, `${letter.output}/${offset}/${letter.alert.uuid}`);
  }

  list(filter: DeadLetterFilter = {}): Promise<DeadLetter[]> {
    return this.#reached(this.#list(filter));
  }

  async #list(filter: DeadLetterFilter): Promise<DeadLetter[]> {
    const session = this.#session();
    const page = new LetterPage(filter);
    const fits = toTest(filter);
    if (filter.ids) {
      for (const id of newestFirst(filter.ids, filter.before)) {
        if (page.isFull) break;
        const letter = await this.#byId(session, id);
        if (letter && fits(letter)) page.add(letter);
      }
      return page.letters;
    }
    const { state } = await session.manager.streams.info(this.#options.names.dead.stream);
    let end = Math.min(filter.before ?? Number.POSITIVE_INFINITY, state.last_seq + 1);
    let step = Math.min(FIRST_STEP, Math.ceil((page.bytes * state.messages) / Math.max(1, state.bytes)));
    while (!page.isFull && end > state.first_seq && state.messages > 0) {
      const from = Math.max(state.first_seq, end - step);
      await this.#readInto(page, { from, end, output: filter.output, fits });
      end = from;
      step = Math.min(LONGEST_STEP, 2 * step);
    }
    return page.letters;
  }

  /** The stream is read from old to new: those that newer ones leave no room for go on the way. */
  async #readInto(
    page: LetterPage,
    { from, end, output, fits }: { from: number; end: number; output: string | undefined; fits: Test },
  ): Promise<void> {
    const { stream, subject: subjectOf } = this.#options.names.dead;
    const subject = output === undefined ? undefined : subjectOf(output);
    const piece: DeadLetter[] = [];
    let bytes = 0;
    for await (const message of readStream(this.#session(), stream, { from, end, subject })) {
      const letter = this.#toLetter(message.seq, message.subject, message.headers, message.data);
      if (!letter || !fits(letter)) continue;
      piece.push(letter);
      bytes += sizeOf(letter);
      while (piece.length > page.limit || bytes - sizeOf(piece[0]!) >= page.bytes) {
        bytes -= sizeOf(piece.shift()!);
      }
    }
    for (const letter of piece.reverse()) page.add(letter);
  }

  count(output?: string): number {
    this.#refreshSoon();
    if (output !== undefined) return this.#counts.get(output) ?? 0;
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  tally(filter: DeadLetterFilter): Promise<Map<string, number>> {
    return this.#reached(this.#tally(filter));
  }

  async #tally({ output, ...others }: DeadLetterFilter): Promise<Map<string, number>> {
    const { subject, subjects } = this.#options.names.dead;
    if (isEmpty(others)) return this.#countsOf(output === undefined ? subjects : subject(output));
    const counts = new Map<string, number>();
    for await (const letter of allLetters(this, { output, ...others }))
      counts.set(letter.output, (counts.get(letter.output) ?? 0) + 1);
    return counts;
  }

  remove(filter: DeadLetterFilter): Promise<number> {
    return this.#reached(this.#remove(filter));
  }

  async #remove(filter: DeadLetterFilter): Promise<number> {
    const session = this.#session();
    const { stream, subject } = this.#options.names.dead;
    const { output, ...others } = filter;
    try {
      if (isEmpty(others)) {
        const which = output === undefined ? undefined : { filter: subject(output) };
        return (await session.manager.streams.purge(stream, which)).purged;
      }
      let removed = 0;
      for await (const { id } of allLetters(this, filter)) {
        if (await session.manager.streams.deleteMessage(stream, id, false).catch(toMissing)) removed++;
      }
      return removed;
    } finally {
      await this.#refresh().catch(() => undefined);
    }
  }

  /** Asks the server how many there are, once at a time. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#readCounts().finally(() => {
      this.#refreshing = undefined;
      this.#refreshedAt = performance.now();
    });
    return this.#refreshing;
  }

  #refreshSoon(): void {
    const { session } = this.#options.link;
    if (session && performance.now() - this.#refreshedAt > REFRESH_MS) this.#refresh().catch(() => undefined);
  }

  async #readCounts(): Promise<void> {
    this.#counts = await this.#countsOf(this.#options.names.dead.subjects);
  }

  async #countsOf(subjects: string): Promise<Map<string, number>> {
    const { stream } = this.#options.names.dead;
    const info: StreamInfo = await this.#session().manager.streams.info(stream, {
      subjects_filter: subjects,
    });
    this.bytes = info.state.bytes;
    return new Map(
      Object.entries(info.state.subjects ?? {}).map(([subject, count]) => [outputOf(subject), count]),
    );
  }

  async #store(letter: NewLetter, msgID?: string): Promise<number> {
    const { transport, names } = this.#options;
    const headers = transport.headers();
    const { alert, output, ...details } = letter;
    const { connection, jetstream } = this.#session();
    const room = (connection.info?.max_payload ?? Number.POSITIVE_INFINITY) - alert.byteLength;
    headers.set(DETAILS, encodeDetails(details, room - (msgID?.length ?? 0) - FRAMING_BYTES));
    const ack = await jetstream.publish(names.dead.subject(output), alert.bytes, {
      headers,
      ...(msgID !== undefined && { msgID }),
    });
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    if (!ack.seq) throw notAgreed();
    return ack.seq;
  }

  async #byId({ manager }: Session, seq: number): Promise<DeadLetter | undefined> {
    const message = await manager.direct.getMessage(this.#options.names.dead.stream, { seq });
    return message ? this.#toLetter(message.seq, message.subject, message.header, message.data) : undefined;
  }

  #toLetter(
    id: number,
    subject: string,
    headers: Transport.MsgHdrs | undefined,
    data: Uint8Array,
  ): DeadLetter | undefined {
    let alert: Alert;
    let details: Partial<NewLetter> = {};
    try {
      alert = decodeAlert(Buffer.from(data));
      details = JSON.parse(decodeURIComponent(headers?.get(DETAILS) || '{}')) as Partial<NewLetter>;
    } catch (error) {
      this.#options.log.error({ id, error: (error as Error).message }, 'a dead letter cannot be read');
      return undefined;
    }
    const { error = '', reason = 'other', attempts = 1, buriedAt = 0 } = details;
    return { id, output: outputOf(subject), alert, error, reason, attempts, buriedAt };
  }

  /** @throws SpoolFaultError when the server refuses or does not answer */
  #reached<T>(work: Promise<T>): Promise<T> {
    return work.catch(error => {
      throw toFault(UNREACHABLE, error);
    });
  }

  #session(): Session {
    const { session, fault } = this.#options.link;
    if (!session) throw new SpoolFaultError(`${UNREACHABLE}: ${fault}`);
    return session;
  }
}

/** Header with everything about a letter but the alert and the output, as percent-encoded JSON. */
const DETAILS = 'Tiercel-Letter';
const REFRESH_MS = 1_000;
/** The names of a letter's headers and what stands around them. */
const FRAMING_BYTES = 64;

/** Details as the text of a header. Of an error for which there is no room beside a large alert, the beginning stays. */
function encodeDetails(details: Omit<NewLetter, 'alert' | 'output'>, room: number): string {
  const text = encodeURIComponent(JSON.stringify(details));
  if (text.length <= room || details.error === '') return text;
  return encodeDetails({ ...details, error: details.error.slice(0, details.error.length / 2) }, room);
}

/** Somebody else has removed the letter; anything but the server's word for that is a failure. */
function toMissing(error: unknown): false {
  if (codeOf(error) === undefined) throw error;
  return false;
}

function outputOf(subject: string): string {
  return fromToken(subject.slice(subject.lastIndexOf('.') + 1));
}

function isEmpty(filter: DeadLetterFilter): boolean {
  return Object.values(filter).every(value => value === undefined);
}

function sizeOf({ alert }: DeadLetter): number {
  return alert.byteLength;
}

function newestFirst(ids: readonly number[], before = Number.POSITIVE_INFINITY): number[] {
  return [...new Set(ids)].filter(id => id < before).sort((a, b) => b - a);
}

function toTest({ output, rule, since, before }: DeadLetterFilter): Test {
  return letter =>
    (output === undefined || letter.output === output) &&
    (rule === undefined || letter.alert.rule === rule) &&
    (since === undefined || letter.buriedAt >= since) &&
    (before === undefined || letter.id < before);
}
