/** The driver for several replicas: NATS JetStream keeps the log, and knows how far each output is. */
import type { Alert } from '../../alert/alert.ts';
import type { SpoolConfig } from '../../config/types.ts';
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
import { StreamDeadLetters } from './dead-letters.ts';
import { Front } from './front.ts';
import { SharedLimits } from './limits.ts';
import { Link, type Session } from './link.ts';
import { type Names, namesOf } from './names.ts';
import { Numbers } from './numbers.ts';
import { Outputs } from './outputs.ts';
import type { JetStreamParts } from './parts.ts';
import { Publisher } from './publisher.ts';
import { readAlerts } from './reader.ts';
import { trimStream } from './retention.ts';
import { alertStream, deadStream, ensureStream } from './setup.ts';
import { StreamState } from './state.ts';
import { within } from './within.ts';

const CARE_MS = 2_000;
const TRIM_MS = 30_000;
/** What is left in the buffer gets so much time at the end, and so do all answers to the server. */
const CLOSE_MS = 3_000;

export class JetStreamSpool implements Spool {
  readonly deadLetters: StreamDeadLetters;
  readonly #config: SpoolConfig;
  readonly #parts: JetStreamParts;
  readonly #names: Names;
  readonly #link: Link;
  readonly #publisher: Publisher;
  readonly #front: Front;
  readonly #acks = new Acks();
  readonly #state: StreamState;
  readonly #outputs: Outputs;
  readonly #numbers: Numbers;
  readonly #limits: SharedLimits;
  readonly #care: NodeJS.Timeout;
  readonly #trimTimer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  constructor(config: SpoolConfig, parts: JetStreamParts) {
    const { clock, log, transport, jetstream, connect, buffer } = parts;
    this.#config = config;
    this.#parts = parts;
    this.#names = namesOf(config.jetstream!.stream);
    const { stream, subject } = this.#names.alerts;
    const alerts = new AlertCache();
    this.#state = new StreamState(stream);
    this.#publisher = new Publisher(transport, subject, (offset, alert) => {
      this.#state.stored(offset);
      alerts.set(offset, alert);
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
    this.#outputs = new Outputs({
      names: this.#names.alerts,
      link: this.#link,
      state: this.#state,
      acks: this.#acks,
      alerts,
      clock,
      log,
      memoryBytes: config.memoryBytes,
      removedMs: config.removedMs,
      bury: (letter, offset) => this.deadLetters.addOnce(letter, offset),
      stale: () => this.#numbers.renew(),
    });
    this.#numbers = new Numbers({
      link: this.#link,
      state: this.#state,
      outputs: this.#outputs,
      drops: new DropReport(clock, log),
    });
    this.#limits = new SharedLimits({
      link: this.#link,
      clock,
      openBucket: session => parts.openLimits(session, this.#names.limits),
    });
    this.#front = new Front({
      publisher: this.#publisher,
      buffer,
      clock,
      log,
      usable: () => this.#usable(),
      makeRoom: () => this.#trim(true),
      first: () => this.#state.first,
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
    return this.#outputs.open(name, start);
  }

  retain(names: readonly string[]): void {
    this.#outputs.retain(names);
  }

  read(range: ReadRange = {}): AsyncIterable<Entry> {
    // Whoever asks now is told now, also when the reading itself has to wait for its turn.
    this.#session();
    return this.#read(range, this.#state.next);
  }

  stats(): SpoolStats {
    this.#numbers.renew();
    const { messages, bytes, first, next, oldestAt } = this.#state;
    const { fault, full, bytes: bufferBytes } = this.#parts.buffer.stats();
    const { detour, buffered } = this.#front;
    const { session, fault: away } = this.#link;
    return {
      entries: messages,
      bytes,
      memoryBytes: this.#outputs.bytes,
      firstOffset: first,
      nextOffset: next,
      oldestAt,
      setAside: this.#outputs.unreadable,
      fault: detour === undefined ? undefined : fault,
      full: detour === undefined ? this.#front.isFull : full,
      deadLetterBytes: this.deadLetters.bytes,
      remote: {
        connected: session !== undefined,
        detour: away === undefined ? detour : `the log on NATS cannot be used: ${away}`,
        buffered,
        bufferBytes: buffered > 0 ? bufferBytes : 0,
      },
    };
  }

  async trim(): Promise<void> {
    await this.#trim(false);
    this.#numbers.tellDrops();
  }

  sharedLimit(output: string, limit: { perSecond: number; burst: number }, ready: () => void): RateLimiter {
    return this.#limits.limit(output, limit, ready);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #prepare(session: Session): Promise<void> {
    const { log } = this.#parts;
    await ensureStream(session.manager, alertStream(this.#config, this.#names), log);
    await ensureStream(session.manager, deadStream(this.#config, this.#names), log);
    await this.#state.refresh(session);
    await this.#outputs.prepare(session);
  }

  #up(session: Session): void {
    this.#publisher.up(session);
    this.#acks.up(session);
    this.#outputs.up(session);
    this.#front.up();
    this.#numbers.renew();
  }

  #down(): void {
    this.#limits.down();
    this.#publisher.down();
    this.#acks.down();
    this.#outputs.down();
    this.#front.down(this.#link.fault ?? 'NATS cannot be reached');
  }

  #usable(): boolean | Promise<boolean> {
    if (!this.#link.session) return false;
    const ready = this.#outputs.ready();
    return ready === true || ready.then(() => this.#link.session !== undefined);
  }

  #takeCare(): void {
    if (!this.#link.session) return;
    this.#numbers.ask();
    this.#front.up();
    if (this.#front.isFull) this.#trim(true).catch(() => undefined);
    this.#outputs.sweep();
  }

  async #trim(all: boolean): Promise<void> {
    const { session } = this.#link;
    if (!session) return;
    await this.#outputs.retainOn(session);
    const info = await this.#state.refresh(session);
    await trimStream(session, info, this.#config, this.#parts.clock.now(), all);
    await this.#state.refresh(session);
  }

  async *#read(range: ReadRange, end: number): AsyncGenerator<Entry> {
    yield* readAlerts(this.#session(), this.#names.alerts.stream, range, end);
  }

  #session(): Session {
    const { session, fault } = this.#link;
    if (!session) throw new SpoolFaultError(`the log cannot be read: ${fault}`);
    return session;
  }

  async #close(): Promise<void> {
    clearInterval(this.#care);
    clearInterval(this.#trimTimer);
    this.#numbers.close();
    this.#outputs.close();
    await this.#front.flush(CLOSE_MS);
    // Together: a server that hangs answers none of it.
    const end = performance.now() + CLOSE_MS;
    const left = () => Math.max(0, end - performance.now());
    // The server has to know first that nothing is asked for here any more: it would hand out here what is given back.
    await within(this.#link.session?.connection.flush(), left());
    const firsts = this.#outputs.release();
    await within(this.#link.session?.connection.flush(), left());
    // nats-server 2.9 drops the first alert that comes back on a request that is over, until its time is up: once more.
    for (const reply of firsts) this.#acks.nak(reply);
    await this.#acks.close(left());
    await this.#front.close();
    this.#publisher.close();
    await this.#link.close();
  }
}
