import type { ConnectionOptions } from 'node:tls';
import type * as Kafkajs from 'kafkajs';
import type { Alert, Cancellation, Host, Output, SendContext } from '../../core/contract.ts';
import type { PermanentError, RetriableError } from '../../core/errors.ts';
import { settle, toAbortSignal, untilAborted } from '../_kit/settle.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { createBalancer } from './balancers.ts';
import type { KafkaConfig } from './config.ts';
import { isTooLarge, toFailure, tooLarge } from './failures.ts';
import { Partitions } from './partitions.ts';
import { type Outgoing, toRecord } from './record.ts';
import { openSession, type Session } from './session.ts';

type Failures = Map<number, RetriableError | PermanentError>;

/** Records that go out in one request, by their place in the batch. */
type Piece = readonly number[];

export class KafkaOutput implements Output {
  readonly #kafkajs: typeof Kafkajs.default;
  readonly #config: KafkaConfig;
  readonly #host: Host;
  readonly #partitions: Partitions;
  #session: Promise<Session> | undefined;
  readonly #closing = new AbortController();
  #tls: ConnectionOptions | undefined;
  /** Most bytes that went into one request before the topic refused more. */
  #limit = Number.POSITIVE_INFINITY;

  constructor(kafkajs: typeof Kafkajs.default, config: KafkaConfig, host: Host) {
    this.#kafkajs = kafkajs;
    this.#config = config;
    this.#host = host;
    this.#partitions = new Partitions(createBalancer(config.balancer, () => host.clock.random()));
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const records = alerts.map(alert => toRecord(alert, this.#config.key));
    const failed = await this.#use(session => this.#deliver(session, records, signal), signal);
    settle(records.length, failed);
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#use(session => untilAborted(session.check(), signal), signal);
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

  /** Runs work, which ends with its time, on the session. One that breaks is given up. @throws RetriableError */
  async #use<T>(work: (session: Session) => Promise<T>, signal: Cancellation): Promise<T> {
    this.#session ??= this.#open(toAbortSignal(signal));
    const opening = this.#session;
    try {
      const session = await untilAborted(opening, signal);
      const result = await work(session);
      if (session.isBroken()) this.#abandon(opening);
      return result;
    } catch (error) {
      this.#abandon(opening);
      throw toFailure(error);
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
   * Sends records until each is accepted or refused: what a partition finds too large together, in smaller pieces. A
   * partition that fails in another way is sent no more, which keeps its order; the others go on.
   */
  async #deliver(session: Session, records: readonly Outgoing[], signal: Cancellation): Promise<Failures> {
    this.#partitions.assign(records, await untilAborted(session.partitions(), signal));
    const failed: Failures = new Map();
    const refusing = new Map<number, RetriableError | PermanentError>();
    const pieces = pack(records, this.#limit);
    for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
      const byPartition = Map.groupBy(piece, index => records[index]!.partition!);
      for (const [partition, failure] of refusing) {
        for (const index of byPartition.get(partition) ?? []) failed.set(index, failure);
        byPartition.delete(partition);
      }
      if (byPartition.size === 0) continue;
      const sent = [...byPartition.values()].flat().map(index => records[index]!);
      for (const [partition, error] of await session.produce(sent, signal)) {
        const refused = byPartition.get(partition)!;
        if (!isTooLarge(error)) {
          const failure = toFailure(error);
          refusing.set(partition, failure);
          for (const index of refused) failed.set(index, failure);
        } else if (refused.length === 1) failed.set(refused[0]!, tooLarge(error));
        else pieces.unshift(...this.#halve(refused, records));
      }
    }
    this.#partitions.refusedBy(refusing.keys());
    return failed;
  }

  /** Halves of what a partition found too large: Kafka takes or refuses the records of one together. */
  #halve(refused: Piece, records: readonly Outgoing[]): Piece[] {
    this.#limit = refused.reduce((sum, index) => sum + records[index]!.value.length, 0) / 2;
    const middle = Math.ceil(refused.length / 2);
    return [refused.slice(0, middle), refused.slice(middle)];
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
