/** The driver for several replicas: NATS JetStream keeps the log, and knows how far each output is. */
import type * as JetStream from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type * as Transport from '@nats-io/transport-node';
import type { Alert } from '../../alert.ts';
import type { SpoolConfig } from '../../config/types.ts';
import type { Clock, Logger } from '../../contract.ts';
import {
  type Consumer,
  type Entry,
  type RateLimiter,
  type ReadRange,
  type Spool,
  SpoolFaultError,
  type SpoolStats,
  type Start,
} from '../contract.ts';
import { DropReport } from '../drop-report.ts';
import { Acks } from './acks.ts';
import { AlertCache } from './alerts.ts';
import { StreamConsumer } from './consumer.ts';
import { StreamDeadLetters } from './dead-letters.ts';
import { Front } from './front.ts';
import { Link, type Session } from './link.ts';
import { type Names, namesOf, toToken } from './names.ts';
import { Publisher } from './publisher.ts';
import { SharedLimit } from './rate-limit.ts';
import { readAlerts } from './reader.ts';
import { trimStream } from './retention.ts';
import { alertStream, deadStream, ensureConsumer, ensureStream, retainConsumers } from './setup.ts';
import { StreamState } from './state.ts';

const CARE_MS = 2_000;
/** Numbers of the server that are older are asked for anew when somebody wants them. */
const STALE_MS = 200;
const TRIM_MS = 30_000;
/** What is left in the buffer gets so much time at the end, and so do answers to the server. */
const CLOSE_MS = 3_000;

/** The parts of a spool on JetStream. */
export interface JetStreamParts {
  clock: Clock;
  log: Logger;
  transport: typeof Transport;
  jetstream: typeof JetStream;
  connect(): Promise<Transport.NatsConnection>;
  /** Opens the bucket of the shared limits. */
  openLimits(session: Session, bucket: string): Promise<KV>;
  /** The disk driver, in front. */
  buffer: Spool;
}

export class JetStreamSpool implements Spool {
  readonly deadLetters: StreamDeadLetters;
  readonly #config: SpoolConfig;
  readonly #parts: JetStreamParts;
  readonly #names: Names;
  readonly #link: Link;
  readonly #publisher: Publisher;
  readonly #front: Front;
  readonly #acks = new Acks();
  readonly #alerts = new AlertCache();
  readonly #state: StreamState;
  readonly #drops: DropReport;
  readonly #consumers = new Map<string, { consumer: StreamConsumer; start: Start }>();
  /** Outputs whose consumers are known to be on the server. */
  readonly #made = new Set<string>();
  /** Consumers being made: what is appended meanwhile is for them too. */
  readonly #making = new Set<Promise<void>>();
  /** The outputs there are; undefined until somebody has said. */
  #outputs: ReadonlySet<string> | undefined;
  #limits: Promise<KV> | undefined;
  #refreshing: Promise<void> | undefined;
  #unreadable = 0;
  readonly #care: NodeJS.Timeout;
  readonly #trimTimer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  constructor(config: SpoolConfig, parts: JetStreamParts) {
    const { clock, log, transport, jetstream, connect, buffer } = parts;
    this.#config = config;
    this.#parts = parts;
    this.#names = namesOf(config.jetstream!.stream);
    const { stream, subject } = this.#names.alerts;
    this.#state = new StreamState(stream);
    this.#drops = new DropReport(clock, log);
    this.#publisher = new Publisher(transport, subject, (offset, alert) => {
      this.#state.stored(offset);
      this.#alerts.set(offset, alert);
    });
    this.#link = new Link({
      jetstream,
      connect,
      log,
      prepare: session => this.#prepare(session),
      up: session => this.#up(session),
      down: () => this.#down(),
    });
    this.deadLetters = new StreamDeadLetters({ transport, link: this.#link, names: this.#names, log });
    this.#front = new Front({
      publisher: this.#publisher,
      buffer,
      clock,
      log,
      usable: () => this.#usable(),
      makeRoom: () => this.#trim(true),
    });
    this.#care = setInterval(() => this.#takeCare(), CARE_MS).unref();
    this.#trimTimer = setInterval(() => this.trim().catch(() => undefined), TRIM_MS).unref();
  }

  /** Connects. Resolves also when that has not worked yet: it is tried again for as long as the spool is open. */
  async start(): Promise<this> {
    await this.#link.open();
    return this;
  }

  append(alerts: readonly Alert[]): Promise<void> {
    if (this.#closing) return Promise.reject(new Error('the spool is closed'));
    if (alerts.length === 0) return Promise.resolve();
    return this.#front.append(alerts);
  }

  consumer(name: string, start: Start = 'now'): Consumer {
    if (this.#closing) throw new Error('the spool is closed');
    const known = this.#consumers.get(name);
    if (known) return known.consumer.open();
    const { clock, log } = this.#parts;
    const consumer = new StreamConsumer({
      output: name,
      stream: this.#names.alerts.stream,
      acks: this.#acks,
      alerts: this.#alerts,
      clock,
      log,
      bury: (letter, offset) => this.deadLetters.addOnce(letter, offset),
      unreadable: (offset, error) => {
        this.#unreadable++;
        log.error({ offset, error: (error as Error).message }, 'a message in the stream is no alert');
      },
      room: () => this.#config.memoryBytes - this.#bytesInHand(),
      stale: () => this.#refreshSoon(),
      failed: error => this.#pullFailed(name, error),
    });
    this.#consumers.set(name, { consumer, start });
    const { session } = this.#link;
    if (session) this.#make(session, name);
    return consumer.open();
  }

  retain(names: readonly string[]): void {
    this.#outputs = new Set(names);
    for (const [name, { consumer }] of this.#consumers) {
      if (this.#outputs.has(name)) continue;
      consumer.close();
      consumer.release();
      this.#consumers.delete(name);
      this.#made.delete(name);
    }
    const { session } = this.#link;
    if (session) this.#retain(session).catch(() => undefined);
  }

  read(range: ReadRange = {}): AsyncIterable<Entry> {
    return this.#read(range, this.#state.next);
  }

  stats(): SpoolStats {
    this.#refreshSoon();
    const { messages, bytes, first, next, oldestAt } = this.#state;
    const { fault, bytes: bufferBytes } = this.#parts.buffer.stats();
    const { detour, buffered } = this.#front;
    return {
      entries: messages,
      bytes,
      memoryBytes: this.#bytesInHand(),
      firstOffset: first,
      nextOffset: next,
      oldestAt,
      setAside: this.#unreadable,
      fault: detour === undefined ? undefined : fault,
      remote: {
        connected: this.#link.session !== undefined,
        detour: this.#link.fault ?? detour,
        buffered,
        bufferBytes: buffered > 0 ? bufferBytes : 0,
      },
    };
  }

  async trim(): Promise<void> {
    await this.#trim(false);
    this.#drops.tell();
  }

  sharedLimit(output: string, limit: { perSecond: number; burst: number }, ready: () => void): RateLimiter {
    return new SharedLimit({
      // Keys of a bucket know no percent sign.
      key: toToken(output).replaceAll('%', '_'),
      limit,
      clock: this.#parts.clock,
      ready,
      store: () => {
        const { session } = this.#link;
        if (!session) return undefined;
        this.#limits ??= this.#parts.openLimits(session, this.#names.limits).catch(error => {
          this.#limits = undefined;
          throw error;
        });
        return this.#limits;
      },
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #prepare(session: Session): Promise<void> {
    const { manager } = session;
    const { log } = this.#parts;
    const { stream } = this.#names.alerts;
    await ensureStream(manager, alertStream(this.#config, this.#names), log);
    await ensureStream(manager, deadStream(this.#config, this.#names), log);
    await this.#state.refresh(session);
    this.#made.clear();
    for (const name of [...this.#consumers.keys()]) {
      await ensureConsumer(manager, stream, name, this.#startOf(name));
      this.#made.add(name);
    }
    await this.#retain(session);
  }

  #up(session: Session): void {
    this.#publisher.up(session);
    this.#acks.up(session);
    for (const [name, { consumer }] of this.#consumers) {
      if (this.#made.has(name)) consumer.up(session);
      else this.#make(session, name);
    }
    this.#front.up();
    this.#refreshSoon();
  }

  #down(): void {
    this.#limits = undefined;
    this.#publisher.down();
    this.#acks.down();
    for (const { consumer } of this.#consumers.values()) consumer.down();
    this.#front.down(this.#link.fault ?? 'NATS cannot be reached');
  }

  /** Makes one consumer while the session is in use; what is appended waits for it. */
  #make(session: Session, name: string): void {
    const { stream } = this.#names.alerts;
    const making = ensureConsumer(session.manager, stream, name, this.#startOf(name)).then(
      async () => {
        this.#made.add(name);
        const found = this.#consumers.get(name);
        if (!found || this.#link.session !== session) return;
        found.consumer.up(session);
        await found.consumer.refresh(session, this.#state.first).catch(() => 0);
      },
      () => this.#link.renew(),
    );
    this.#making.add(making);
    void making.finally(() => this.#making.delete(making));
  }

  /** Where the consumer begins should there be none on the server. */
  #startOf(name: string): Start | number {
    const { consumer, start } = this.#consumers.get(name)!;
    const { resumeAt } = consumer;
    if (resumeAt === undefined) return start;
    // The server has lost it. A stream that was made anew is read from its beginning.
    return resumeAt > this.#state.next ? 'beginning' : Math.max(1, resumeAt);
  }

  #usable(): boolean | Promise<boolean> {
    if (!this.#link.session) return false;
    if (this.#making.size === 0) return true;
    return Promise.all(this.#making).then(() => this.#link.session !== undefined);
  }

  async #retain({ manager }: Session): Promise<void> {
    if (!this.#outputs) return;
    const { removedMs } = this.#config.jetstream!;
    const removed = await retainConsumers(manager, this.#names.alerts.stream, this.#outputs, removedMs);
    for (const output of removed) {
      this.#parts.log.info(
        { output, keptMs: removedMs },
        'the place of a removed output in the log is kept for a while',
      );
    }
  }

  #pullFailed(output: string, error: unknown): void {
    const { message } = error as Error;
    this.#parts.log.debug({ output, error: message }, 'a request for alerts ended early');
    if (/(consumer|stream) not found|consumer deleted/i.test(message)) this.#link.renew();
  }

  #bytesInHand(): number {
    let sum = 0;
    for (const { consumer } of this.#consumers.values()) sum += consumer.lane.bytes;
    return sum;
  }

  #refreshSoon(): void {
    const { session } = this.#link;
    if (session && !this.#closing && this.#state.ageMs > STALE_MS) void this.#refresh(session);
  }

  #refresh(session: Session): Promise<void> {
    this.#refreshing ??= this.#ask(session)
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  async #ask(session: Session): Promise<void> {
    await this.#state.refresh(session);
    const lost = new Map<string, number>();
    await Promise.all(
      [...this.#consumers.values()].map(async ({ consumer }) => {
        if (!this.#made.has(consumer.name)) return;
        const dropped = await consumer.refresh(session, this.#state.first);
        if (dropped > 0) lost.set(consumer.name, dropped);
      }),
    );
    this.#drops.add(lost);
  }

  #takeCare(): void {
    const { session } = this.#link;
    if (!session) return;
    void this.#refresh(session);
    this.#front.up();
    for (const { consumer } of this.#consumers.values()) consumer.sweep(this.#state.first);
  }

  async #trim(all: boolean): Promise<void> {
    const { session } = this.#link;
    if (!session) return;
    await this.#retain(session);
    const info = await this.#state.refresh(session);
    await trimStream(session, info, this.#config, this.#parts.clock.now(), all);
    await this.#state.refresh(session);
  }

  async *#read(range: ReadRange, end: number): AsyncGenerator<Entry> {
    const { session, fault } = this.#link;
    if (!session) throw new SpoolFaultError(`the log cannot be read: ${fault}`);
    yield* readAlerts(session, this.#names.alerts.stream, range, end);
  }

  async #close(): Promise<void> {
    clearInterval(this.#care);
    clearInterval(this.#trimTimer);
    for (const { consumer } of this.#consumers.values()) consumer.close();
    await this.#front.flush(CLOSE_MS);
    // The server has to know first that nothing is asked for here any more: it would hand out here what is given back.
    await within(this.#link.session?.connection.flush(), CLOSE_MS);
    const firsts = [...this.#consumers.values()].map(({ consumer }) => consumer.release());
    await within(this.#link.session?.connection.flush(), CLOSE_MS);
    // nats-server 2.9 drops the first alert that comes back on a request that is over, until its time is up: once more.
    for (const reply of firsts) if (reply !== undefined) this.#acks.nak(reply);
    await this.#acks.close(CLOSE_MS);
    await this.#front.close();
    this.#publisher.close();
    await this.#link.close();
  }
}

/** Resolves when the work is done or has failed, or the time is over. */
async function within(work: Promise<unknown> | undefined, ms: number): Promise<void> {
  const limit = new Promise<void>(resolve => {
    setTimeout(resolve, ms).unref();
  });
  await Promise.race([work?.catch(() => undefined), limit]);
}
