/** The consumers of all outputs: made on the server when they are missing, kept in step with the connection. */
import type { Clock, Logger } from '../../contract.ts';
import type { Start } from '../contract.ts';
import { tellRemoved } from '../removed.ts';
import type { Acks } from './acks.ts';
import type { AlertCache } from './alerts.ts';
import { StreamConsumer } from './consumer.ts';
import type { LaneOptions } from './lane.ts';
import type { Link, Session } from './link.ts';
import { fateOf, fillEnd, type Stored } from './lost-end.ts';
import type { Names } from './names.ts';
import { ensureConsumer, isMissing, retainConsumers } from './setup.ts';
import type { StreamState } from './state.ts';

export interface OutputsOptions {
  names: Names['alerts'];
  link: Link;
  state: StreamState;
  acks: Acks;
  alerts: AlertCache;
  clock: Clock;
  log: Logger;
  /** Most bytes of alerts in hand, all outputs together. */
  memoryBytes: number;
  /** How long the place of an output that was removed is kept. */
  removedMs: number;
  bury: LaneOptions['bury'];
  /** Asks the server for its numbers if those at hand are old. */
  stale(): void;
}

export class Outputs {
  readonly #options: OutputsOptions;
  readonly #consumers = new Map<string, { consumer: StreamConsumer; start: Start }>();
  /** Outputs whose consumers are known to be on the server. */
  readonly #made = new Set<string>();
  /** Consumers being made: what is appended meanwhile is for them too. */
  readonly #making = new Set<Promise<void>>();
  /** The outputs there are; undefined until somebody has said. */
  #wanted: ReadonlySet<string> | undefined;
  #unreadable = 0;
  /** That of the stream which the consumers belong to. */
  #generation = 0;

  constructor(options: OutputsOptions) {
    this.#options = options;
  }

  /** Messages that are no alerts. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Bytes of alerts in hand. */
  get bytes(): number {
    let sum = 0;
    for (const { consumer } of this.#consumers.values()) sum += consumer.lane.bytes;
    return sum;
  }

  /** The consumer of that output, open; made on the server at `start` when there is none. */
  open(name: string, start: Start): StreamConsumer {
    const known = this.#consumers.get(name);
    if (known) return known.consumer.open();
    const { names, acks, alerts, clock, log, link, memoryBytes, bury, stale } = this.#options;
    const consumer = new StreamConsumer({
      output: name,
      stream: names.stream,
      acks,
      alerts,
      clock,
      log,
      bury,
      unreadable: (offset, error) => {
        this.#unreadable++;
        log.error({ offset, error: (error as Error).message }, 'a message in the stream is no alert');
      },
      room: () => memoryBytes - this.bytes,
      stale,
      failed: error => this.#pullFailed(name, error),
    });
    this.#consumers.set(name, { consumer, start });
    if (link.session) this.#make(link.session, name);
    return consumer.open();
  }

  /** Only these are wanted from now on. */
  retain(names: readonly string[]): void {
    this.#wanted = new Set(names);
    for (const [name, { consumer }] of this.#consumers) {
      if (this.#wanted.has(name)) continue;
      consumer.close();
      consumer.release(this.#options.state.first);
      this.#consumers.delete(name);
      this.#made.delete(name);
    }
    const { session } = this.#options.link;
    if (session) this.retainOn(session).catch(() => undefined);
  }

  /** Leaves the consumers of other outputs on the server to their end. */
  async retainOn({ manager }: Session): Promise<void> {
    if (!this.#wanted) return;
    const { names, removedMs, log } = this.#options;
    for (const removed of await retainConsumers(manager, names.stream, this.#wanted, removedMs)) {
      tellRemoved(log, removed);
    }
  }

  /** Sees to it that all are on the server, before the session is used. */
  async prepare(session: Session): Promise<void> {
    this.#made.clear();
    this.#heedStream();
    await this.#heedEnd(session);
    for (const name of [...this.#consumers.keys()]) {
      await ensureConsumer(session.manager, this.#options.names.stream, name, this.#startOf(name));
      this.#made.add(name);
    }
    await this.retainOn(session);
  }

  up(session: Session): void {
    for (const [name, { consumer }] of this.#consumers) {
      if (this.#made.has(name)) consumer.up(session);
      else this.#make(session, name);
    }
  }

  down(): void {
    for (const { consumer } of this.#consumers.values()) consumer.down();
  }

  /** True, or a promise that resolves when those that are being made are on the server. */
  ready(): true | Promise<unknown> {
    return this.#making.size === 0 || Promise.all(this.#making);
  }

  /** Asks the server how far each is; alerts dropped unread since the last time, by output. */
  async refresh(session: Session): Promise<Map<string, number>> {
    const lost = new Map<string, number>();
    await Promise.all(
      [...this.#consumers.values()].map(async ({ consumer }) => {
        if (!this.#made.has(consumer.name)) return;
        const dropped = await consumer.refresh(session, this.#options.state);
        if (dropped > 0) lost.set(consumer.name, dropped);
      }),
    );
    return lost;
  }

  /** Whether another stream was found in the place of the one that the consumers belong to. */
  get isOutOfStep(): boolean {
    return this.#generation !== this.#options.state.generation;
  }

  /** Regular care. */
  sweep(): void {
    for (const { consumer } of this.#consumers.values()) consumer.sweep(this.#options.state.first);
  }

  close(): void {
    for (const { consumer } of this.#consumers.values()) consumer.close();
  }

  /** Gives back whatever is in hand; where the answer for the first alert of each output goes. */
  release(): string[] {
    const { first } = this.#options.state;
    return [...this.#consumers.values()].flatMap(({ consumer }) => consumer.release(first) ?? []);
  }

  /** Makes one consumer while the session is in use; what is appended waits for it. */
  #make(session: Session, name: string): void {
    const { names, link, state } = this.#options;
    const making = ensureConsumer(session.manager, names.stream, name, this.#startOf(name)).then(
      async () => {
        this.#made.add(name);
        const found = this.#consumers.get(name);
        if (!found || link.session !== session) return;
        found.consumer.up(session);
        await found.consumer.refresh(session, state).catch(() => 0);
      },
      () => link.renew(),
    );
    this.#making.add(making);
    void making.finally(() => this.#making.delete(making));
  }

  /** When the stream is another one, its sequences mean other alerts. */
  #heedStream(): void {
    if (!this.isOutOfStep) return;
    const { state, acks, log } = this.#options;
    this.#generation = state.generation;
    acks.forget();
    for (const { consumer } of this.#consumers.values()) consumer.orphan();
    log.error({}, 'the stream on NATS was lost: what outputs had not read of it is gone');
  }

  /** When the stream has lost its end, new alerts must not get sequences that outputs are past. */
  async #heedEnd(session: Session): Promise<void> {
    const { names, state, acks, log } = this.#options;
    const newest = this.#newest();
    // What is older than all that there is has been removed at the beginning.
    const isKept = newest !== undefined && newest.offset >= state.first;
    const fate = isKept ? await fateOf(session.manager, names.stream, newest) : 'there';
    if (fate === 'replaced') {
      // An answer would be taken for that of an alert which another replica has put there.
      acks.forget();
      for (const { consumer } of this.#consumers.values()) consumer.lane.orphan();
    }
    const filled = await fillEnd(session, names, Math.max(state.next - 1, newest?.offset ?? 0));
    if (fate === 'there' && filled === 0) return;
    const message =
      'NATS has lost the newest alerts of its stream: what outputs had not read of them is gone';
    log.error({ filled }, message);
  }

  /** The message of the highest sequence that any output was given. */
  #newest(): Stored | undefined {
    let newest: Stored | undefined;
    for (const { consumer } of this.#consumers.values()) {
      const { newest: one } = consumer.lane;
      if (one && one.offset >= (newest?.offset ?? 0)) newest = one;
    }
    return newest;
  }

  /** Where the consumer begins should there be none on the server. */
  #startOf(name: string): Start | number {
    const { consumer, start } = this.#consumers.get(name)!;
    // Undefined unless the server has lost it.
    const { resumeAt } = consumer;
    return resumeAt === undefined ? start : Math.max(1, resumeAt);
  }

  #pullFailed(output: string, error: unknown): void {
    const { message } = error as Error;
    this.#options.log.debug({ output, error: message }, 'a request for alerts ended early');
    if (isMissing(error)) this.#options.link.renew();
  }
}
