import type { ConnectionOptions } from 'node:tls';
import type * as Kafkajs from 'kafkajs';
import type { Alert, Cancellation, Host, Output, SendContext } from '../../core/contract.ts';
import { PartialError, type PermanentError, RetriableError } from '../../core/errors.ts';
import { settle, toAbortSignal, untilAborted } from '../_kit/settle.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import type { KafkaConfig } from './config.ts';
import { isTooLarge, toFailure, tooLarge } from './failures.ts';
import { toRecord } from './record.ts';
import { type Outgoing, openSession, type Session } from './session.ts';

type Failures = Map<number, RetriableError | PermanentError>;

/** Records that go out in one request, by their place in the batch. */
type Piece = readonly number[];

export class KafkaOutput implements Output {
  readonly #kafkajs: typeof Kafkajs.default;
  readonly #config: KafkaConfig;
  readonly #host: Host;
  #session: Promise<Session> | undefined;
  readonly #closing = new AbortController();
  #tls: ConnectionOptions | undefined;
  /** Most bytes that went into one request before the topic refused more. */
  #limit = Number.POSITIVE_INFINITY;

  constructor(kafkajs: typeof Kafkajs.default, config: KafkaConfig, host: Host) {
    this.#kafkajs = kafkajs;
    this.#config = config;
    this.#host = host;
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const records = alerts.map(alert => toRecord(alert, this.#config.key));
    await this.#use(async session => settle(records.length, await this.#deliver(session, records)), signal);
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#use(session => session.check(), signal);
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#closing.abort();
    await session?.then(
      opened => opened.close(),
      () => undefined,
    );
  }

  /** Runs work on the session; one that failed is given up, because kafkajs does not recover from every failure. */
  async #use(work: (session: Session) => Promise<void>, signal: Cancellation): Promise<void> {
    this.#session ??= this.#open(toAbortSignal(signal));
    const opening = this.#session;
    try {
      const session = await untilAborted(opening, signal);
      await untilAborted(work(session), signal);
    } catch (error) {
      const failure = error instanceof PartialError ? error : toFailure(error);
      const all = failure instanceof PartialError ? [...failure.failed.values()] : [failure];
      if (all.some(one => one instanceof RetriableError)) this.#abandon(opening);
      throw failure;
    }
  }

  async #open(signal: AbortSignal): Promise<Session> {
    if (this.#config.tls) this.#tls ??= toTlsOptions(this.#host.tls);
    return openSession(
      { kafkajs: this.#kafkajs, config: this.#config, tls: this.#tls, host: this.#host },
      AbortSignal.any([signal, this.#closing.signal]),
    );
  }

  #abandon(opening: Promise<Session>): void {
    if (this.#session === opening) this.#session = undefined;
    opening.then(
      session => session.abandon(),
      () => undefined,
    );
  }

  /**
   * Sends records, in smaller pieces when the topic finds them too large together, until each is accepted or refused.
   * What comes after a failure of another kind is not tried.
   */
  async #deliver(session: Session, records: readonly Outgoing[]): Promise<Failures> {
    const failed: Failures = new Map();
    const pieces = pack(records, this.#limit);
    for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
      try {
        await session.produce(piece.map(index => records[index]!));
      } catch (error) {
        if (!isTooLarge(error)) {
          const failure = toFailure(error);
          for (const index of [piece, ...pieces].flat()) failed.set(index, failure);
          break;
        }
        if (piece.length === 1) failed.set(piece[0]!, tooLarge(error));
        else pieces.unshift(...this.#split(piece, records));
      }
    }
    return failed;
  }

  /**
   * One piece per partition, or half of one. Kafka takes or refuses the records of a partition together, so pieces of
   * a single partition are not written twice while the culprit is looked for.
   */
  #split(piece: Piece, records: readonly Outgoing[]): Piece[] {
    const byPartition = Object.values(Object.groupBy(piece, index => String(records[index]!.partition)));
    if (byPartition.length > 1) return byPartition as Piece[];
    this.#limit = piece.reduce((sum, index) => sum + records[index]!.value.length, 0) / 2;
    const middle = Math.ceil(piece.length / 2);
    return [piece.slice(0, middle), piece.slice(middle)];
  }
}

/** Places of the records, in order, with at most that many bytes together (or one record). */
export function pack(records: readonly Outgoing[], limit: number): Piece[] {
  const pieces: number[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  records.forEach((record, index) => {
    bytes += record.value.length;
    if (bytes > limit || pieces.length === 0) {
      pieces.push([]);
      bytes = record.value.length;
    }
    pieces.at(-1)!.push(index);
  });
  return pieces;
}
