/** The dead letters of all replicas, in a stream of their own: one subject for each output. */
import type { StreamInfo } from '@nats-io/jetstream';
import type * as Transport from '@nats-io/transport-node';
import { type Alert, decodeAlert } from '../../alert.ts';
import type { Logger } from '../../contract.ts';
import { type DeadLetter, type DeadLetterFilter, type DeadLetters, SpoolFaultError } from '../contract.ts';
import type { Link, Session } from './link.ts';
import { fromToken, type Names } from './names.ts';
import { readStream, toFault } from './reader.ts';
import { codeOf } from './setup.ts';

type NewLetter = Omit<DeadLetter, 'id'>;

const DEFAULT_LIMIT = 100;
/** The stream is read from its end in steps that grow. */
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
    const { stream } = this.#options.names.dead;
    const limit = Math.max(0, Math.floor(filter.limit ?? DEFAULT_LIMIT));
    if (filter.ids) return (await this.#byId(session, filter.ids)).filter(toTest(filter)).slice(0, limit);
    const { state } = await session.manager.streams.info(stream);
    const found: DeadLetter[] = [];
    let end = Math.min(filter.before ?? Number.POSITIVE_INFINITY, state.last_seq + 1);
    let step = FIRST_STEP;
    while (found.length < limit && end > state.first_seq && state.messages > 0) {
      const from = Math.max(state.first_seq, end - step);
      const piece: DeadLetter[] = [];
      const subject =
        filter.output === undefined ? undefined : this.#options.names.dead.subject(filter.output);
      for await (const message of readStream(session, stream, { from, end, subject })) {
        const letter = this.#toLetter(message.seq, message.subject, message.headers, message.data);
        if (letter && toTest(filter)(letter)) piece.push(letter);
      }
      found.push(...piece.reverse());
      end = from;
      step = Math.min(LONGEST_STEP, 2 * step);
    }
    return found.slice(0, limit);
  }

  count(output?: string): number {
    this.#refreshSoon();
    if (output !== undefined) return this.#counts.get(output) ?? 0;
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  remove(filter: DeadLetterFilter): Promise<number> {
    return this.#reached(this.#remove(filter));
  }

  async #remove(filter: DeadLetterFilter): Promise<number> {
    const session = this.#session();
    const { stream, subject } = this.#options.names.dead;
    const { output, ...others } = filter;
    try {
      if (Object.values(others).every(value => value === undefined)) {
        const which = output === undefined ? undefined : { filter: subject(output) };
        return (await session.manager.streams.purge(stream, which)).purged;
      }
      const letters = await this.list({ ...filter, limit: filter.limit ?? Number.MAX_SAFE_INTEGER });
      let removed = 0;
      for (const { id } of letters) {
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
    const { stream, subjects } = this.#options.names.dead;
    const info: StreamInfo = await this.#session().manager.streams.info(stream, {
      subjects_filter: subjects,
    });
    this.#counts = new Map(
      Object.entries(info.state.subjects ?? {}).map(([subject, count]) => [outputOf(subject), count]),
    );
  }

  async #store(letter: NewLetter, msgID?: string): Promise<number> {
    const { transport, names } = this.#options;
    const headers = transport.headers();
    const { alert, output, ...details } = letter;
    headers.set(DETAILS, encodeURIComponent(JSON.stringify(details)));
    const { jetstream } = this.#session();
    const ack = await jetstream.publish(names.dead.subject(output), alert.bytes, {
      headers,
      ...(msgID !== undefined && { msgID }),
    });
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    return ack.seq;
  }

  async #byId({ manager }: Session, ids: readonly number[]): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    for (const seq of [...new Set(ids)].sort((a, b) => b - a)) {
      const message = await manager.direct.getMessage(this.#options.names.dead.stream, { seq });
      const letter = message && this.#toLetter(message.seq, message.subject, message.header, message.data);
      if (letter) letters.push(letter);
    }
    return letters;
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

/** Somebody else has removed the letter; anything but the server's word for that is a failure. */
function toMissing(error: unknown): false {
  if (codeOf(error) === undefined) throw error;
  return false;
}

function outputOf(subject: string): string {
  return fromToken(subject.slice(subject.lastIndexOf('.') + 1));
}

function toTest({ output, rule, since, before }: DeadLetterFilter): (letter: DeadLetter) => boolean {
  return letter =>
    (output === undefined || letter.output === output) &&
    (rule === undefined || letter.alert.rule === rule) &&
    (since === undefined || letter.buriedAt >= since) &&
    (before === undefined || letter.id < before);
}
