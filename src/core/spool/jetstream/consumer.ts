/** The consumer of one output: what the worker asks for is asked of the server, a little ahead. */
import { setImmediate } from 'node:timers/promises';
import { timerMs } from '../../timer.ts';
import type { Consumer, ConsumerStats, Delivery } from '../contract.ts';
import { Waiters } from '../waiters.ts';
import { Lane, type LaneOptions } from './lane.ts';
import type { Session } from './link.ts';
import { toToken } from './names.ts';
import { Progress } from './progress.ts';
import { ARRIVED } from './publisher.ts';
import { Puller } from './puller.ts';
import { Stall } from './stall.ts';
import type { StreamState } from './state.ts';

/** Alerts asked for ahead of their being taken. */
const LEAST_AHEAD = 64;
const MOST_AHEAD = 2048;
/** Asked for even when memory is short, or nothing would move. */
const ALWAYS = 16;
/** Not taken from for so long, alerts go back: another replica may get them out. */
const UNWANTED_MS = 10_000;
/** Closed for so long, nobody will open it again soon. */
const ABANDONED_MS = 5_000;
const FIRST_GUESS_BYTES = 1024;
const API_TIMEOUT_MS = 5_000;

export interface StreamConsumerOptions extends LaneOptions {
  stream: string;
  /** Bytes of alerts that may still be fetched, all outputs together. */
  room(): number;
  /** Asks the server for its numbers if those at hand are old. */
  stale(): void;
  /** The consumer cannot be asked. */
  failed(error: unknown): void;
}

/** What the server says of the consumer. */
interface Remote {
  pending: number;
  ackPending: number;
  oldestAt: number | undefined;
}

/** Lives as long as the spool; opened and closed as outputs come and go. */
export class StreamConsumer implements Consumer {
  readonly name: string;
  readonly lane: Lane;
  readonly #options: StreamConsumerOptions;
  readonly #puller: Puller;
  #remote: Remote = { pending: 0, ackPending: 0, oldestAt: undefined };
  #dropped = 0;
  #progress = new Progress();
  readonly #stall = new Stall();
  #isOpen = false;
  #closedAt = performance.now();
  #wantedAt = Number.NEGATIVE_INFINITY;
  #averageBytes = FIRST_GUESS_BYTES;
  readonly #waiters = new Waiters();
  #timer: NodeJS.Timeout | undefined;
  #isWaking = false;

  constructor(options: StreamConsumerOptions) {
    this.#options = options;
    this.name = options.output;
    this.lane = new Lane(options);
    this.#puller = new Puller({
      stream: options.stream,
      consumer: toToken(options.output),
      failed: options.failed,
      ended: () => this.wake(),
      arrived: message => {
        this.#averageBytes += (message.data.length - this.#averageBytes) / 16;
        this.#remote.pending = message.info.pending;
        this.#progress.arrived(message.info);
        this.lane.arrived(message);
        this.#wakeSoon();
      },
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): this {
    if (this.#isOpen) throw new Error(`the consumer ${JSON.stringify(this.name)} is open already`);
    this.#isOpen = true;
    this.lane.open();
    return this;
  }

  up(session: Session): void {
    this.#puller.up(session);
    this.wake();
  }

  down(): void {
    this.#puller.down();
  }

  /** The stream is no more, and another is in its place. */
  orphan(): void {
    this.lane.orphan();
    this.#progress = new Progress(0);
  }

  async pull(max: number, signal: AbortSignal, maxBytes?: number): Promise<Delivery[]> {
    while (this.#isOpen && !signal.aborted && max >= 1) {
      const deliveries = this.take(max, undefined, maxBytes);
      if (deliveries.length > 0) return deliveries;
      await this.#wait(signal);
    }
    return [];
  }

  take(max: number, only?: 'new', maxBytes?: number): Delivery[] {
    if (!this.#isOpen || max < 1) return [];
    this.#wantedAt = performance.now();
    const taken = this.lane.take(max, only, maxBytes);
    this.#fill(max - taken.length);
    return taken;
  }

  hasten(which?: 'next'): void {
    this.lane.hasten(which);
    this.wake();
  }

  stats(): ConsumerStats {
    this.#options.stale();
    const { pending, ackPending, oldestAt } = this.#remote;
    const depth = pending + Math.max(ackPending, this.lane.size);
    return {
      depth,
      ...this.lane.count(),
      oldestAt: depth === 0 ? undefined : oldestAt,
      dropped: this.#dropped,
    };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#closedAt = performance.now();
    clearTimeout(this.#timer);
    this.#puller.cancel();
    this.lane.close();
    this.wake();
  }

  /**
   * Gives back whatever is in hand.
   * @param first the oldest sequence in the stream
   * @returns where the answer for the first of it goes
   */
  release(first: number): string | undefined {
    this.#puller.cancel();
    return this.lane.release(first);
  }

  /** Regular care. @param first the oldest sequence in the stream */
  sweep(first: number): void {
    const now = performance.now();
    if (!this.#isOpen) {
      if (this.lane.size > 0 && now - this.#closedAt > ABANDONED_MS) this.release(first);
      else this.lane.sweep(true, first);
      return;
    }
    const isWanted = this.#waiters.size > 0 || now - this.#wantedAt < UNWANTED_MS;
    if (!isWanted) this.#puller.cancel();
    this.lane.sweep(isWanted, first);
  }

  /** Where it has to go on should the server have lost it; undefined: it was never there. */
  get resumeAt(): number | undefined {
    const { reached } = this.#progress;
    return reached === undefined ? undefined : Math.min(this.lane.lowest, reached + 1);
  }

  /**
   * Asks the server how far the consumer is.
   * @param state of the stream, as it was before
   * @returns how many alerts were dropped unread since the last time
   */
  async refresh(session: Session, state: Pick<StreamState, 'first' | 'last' | 'stored'>): Promise<number> {
    const { stream } = this.#options;
    const { manager } = session;
    const { first, last } = state;
    const progress = this.#progress;
    const info = await manager.consumers.info(stream, toToken(this.name));
    // This is about a stream that was replaced meanwhile.
    if (progress !== this.#progress) return 0;
    state.stored(info.delivered.stream_seq);
    const dropped = progress.update(info, first);
    this.#dropped += dropped;
    const isIdle = info.num_pending + info.num_ack_pending === 0;
    const oldest = Math.max(info.ack_floor.stream_seq + 1, first);
    this.#remote = {
      pending: info.num_pending,
      ackPending: info.num_ack_pending,
      oldestAt: isIdle
        ? undefined
        : (this.lane.get(oldest)?.appendedAt ?? (await this.#timeOf(manager, oldest))),
    };
    const isAsking = this.#puller.outstanding > 0;
    if (this.#stall.look(info, last < first ? 0 : last, isAsking, performance.now())) this.#moveLead(session);
    return dropped;
  }

  /** Asks the cluster for another leader of the consumer. A single server has nobody to ask, and says so. */
  #moveLead({ connection }: Session): void {
    const { stream, log } = this.#options;
    const subject = `$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${toToken(this.name)}`;
    const what = 'NATS hands out nothing though there is more';
    connection
      .request(subject, undefined, { timeout: API_TIMEOUT_MS })
      .then(answer => {
        const { error } = answer.json<{ error?: { description?: string } }>();
        if (error) throw new Error(error.description);
        log.warn({ output: this.name }, `${what}: another node was asked to lead`);
      })
      .catch(error => {
        const fields = { output: this.name, error: (error as Error).message };
        log.warn(fields, `${what}, and no other node can lead`);
      });
  }

  /** Lets waiting pulls look again. */
  wake(): void {
    this.#waiters.wake();
  }

  async #timeOf(manager: Session['manager'], seq: number): Promise<number | undefined> {
    const message = await manager.direct.getMessage(this.#options.stream, { seq }).catch(() => undefined);
    return message ? Number(message.header?.get(ARRIVED)) || message.time.getTime() : undefined;
  }

  /** Alerts come one by one; those of one turn of the event loop are handed out together. */
  #wakeSoon(): void {
    if (this.#isWaking || this.#waiters.size === 0) return;
    this.#isWaking = true;
    void setImmediate().then(() => {
      this.#isWaking = false;
      this.wake();
    });
  }

  /** Keeps some alerts ahead of those that are wanted. */
  #fill(wanted: number): void {
    const ahead = Math.min(MOST_AHEAD, Math.max(LEAST_AHEAD, 2 * wanted));
    const there = this.lane.ready + this.#puller.outstanding;
    if (there > ahead / 2) return;
    const room = Math.floor(this.#options.room() / this.#averageBytes);
    const count = Math.min(ahead - there, Math.max(room, ALWAYS - there));
    if (count > 0) this.#puller.request(count);
  }

  #wait(signal: AbortSignal): Promise<void> {
    const due = this.lane.nextDue();
    clearTimeout(this.#timer);
    if (due !== Number.POSITIVE_INFINITY) {
      const waitMs = timerMs(due - performance.now());
      this.#timer = setTimeout(() => this.wake(), waitMs);
    }
    return this.#waiters.wait(signal);
  }
}
