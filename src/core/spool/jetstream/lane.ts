/**
 * What this process has in its hands of one output's alerts. The server's consumer says which alerts those are; here
 * they are kept in order, handed out, tried again and given back.
 */
import type { Clock, Logger } from '../../contract.ts';
import type { DeadLetter } from '../contract.ts';
import { letterOf } from '../letters/letter.ts';
import { RetryHeap } from '../retry-heap.ts';
import type { Acks } from './acks.ts';
import type { AlertCache } from './alerts.ts';
import { Held, type Keeper } from './held.ts';
import { isFiller, type Stored } from './lost-end.ts';
import { ARRIVED, MESSAGE_ID } from './publisher.ts';
import type { Pulled } from './puller.ts';
import { Recent } from './recent.ts';
import { ACK_WAIT_MS } from './setup.ts';

/** Longer in our hands, the server hears that it still is. */
const TOUCH_MS = ACK_WAIT_MS / 3;
/** So long after a retry was due, and not taken, the alert belongs to whichever replica asks for it. */
const OURS_AFTER_DUE_MS = 5_000;
/** We let go of it a little earlier than the server does. */
const LET_GO_MS = 1_000;
/** What was settled is known for so long, should the server hand it out once more. */
const REMEMBERED_MS = ACK_WAIT_MS * 1.5;

export interface LaneOptions {
  output: string;
  acks: Acks;
  alerts: AlertCache;
  clock: Clock;
  log: Logger;
  /** Stores a dead letter; one alert of the log is stored once. */
  bury(letter: Omit<DeadLetter, 'id'>, offset: number): Promise<void>;
  /** A message of the stream is no alert of ours. */
  unreadable(offset: number, error: unknown): void;
}

export class Lane implements Keeper {
  readonly #options: LaneOptions;
  /** By sequence: everything that is ours at present. */
  readonly #table = new Map<number, Held>();
  /** Never tried before, in the order of their coming. */
  #fresh: Held[] = [];
  #freshAt = 0;
  /** To be tried again, the next due on top. What is `gone` meanwhile is passed over. */
  readonly #again = new RetryHeap<Held>();
  #settled = new Recent(REMEMBERED_MS);
  #newest: Stored | undefined;
  #orphans = 0;
  #bytes = 0;
  #isOpen = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Alerts in hand. */
  get size(): number {
    return this.#table.size;
  }

  /** Bytes of alert JSON in hand. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Alerts that could be handed out, about. */
  get ready(): number {
    return this.#fresh.length - this.#freshAt;
  }

  /** The lowest sequence in hand, of what the stream still has; infinity when there is none. */
  get lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const offset of this.#table.keys()) if (offset > 0) lowest = Math.min(lowest, offset);
    return lowest;
  }

  /** The message of the highest sequence that has come. */
  get newest(): Stored | undefined {
    return this.#newest;
  }

  get(offset: number): Held | undefined {
    return this.#table.get(offset);
  }

  count(): { inFlight: number; waiting: number } {
    let inFlight = 0;
    let waiting = 0;
    for (const { state } of this.#table.values()) {
      if (state === 'out' || state === 'burying') inFlight++;
      else if (state === 'waiting') waiting++;
    }
    return { inFlight, waiting };
  }

  /** Somebody takes from now on. What the one before left comes first, oldest first. */
  open(): void {
    this.#isOpen = true;
    for (const held of [...this.#table.values()].sort((a, b) => a.offset - b.offset)) {
      if (held.state === 'out') this.#replace(held, 'ready', 0, held.attempt + 1);
      else if (held.state === 'waiting') held.state = 'ready';
    }
    this.#again.setAllDue(0);
  }

  /** Nobody takes any more. What was handed out may still be acked; the rest stays for a successor. */
  close(): void {
    this.#isOpen = false;
  }

  /**
   * The stream does not have any more what came from it, or not all of that. What is in hand may exist only here: it
   * stays, out of the way of the new alerts that come under the same numbers.
   */
  orphan(): void {
    const all = [...this.#table.values()];
    this.#table.clear();
    for (const held of all) this.#setAside(held);
    this.#settled = new Recent(REMEMBERED_MS);
    this.#newest = undefined;
  }

  /** An alert has come from the server. */
  arrived(message: Pulled): void {
    const { streamSequence: offset, deliveryCount, timestampNanos: storedAt } = message.info;
    const { reply } = message;
    const now = performance.now();
    if (!this.#newest || offset >= this.#newest.offset) this.#newest = { offset, storedAt };
    // The server does not know yet that it was delivered: our answer was lost on the way.
    if (this.#settled.has(offset, storedAt)) {
      this.#options.acks.ack(reply);
      return;
    }
    const known = this.#table.get(offset);
    // A server that has lost the end of its stream gives its sequences to new alerts.
    if (known && known.storedAt !== storedAt) this.#setAside(known);
    else if (known) {
      known.reply = reply;
      known.touchedAt = now;
      if (known.state === 'waiting') this.#replace(known, 'waiting', 0, known.attempt);
      return;
    }
    if (isFiller(message)) {
      this.#options.acks.ack(reply);
      return;
    }
    const alert = this.#decode(message);
    if (!alert) return;
    const appendedAt = Number(message.headers?.get(ARRIVED)) || message.time.getTime();
    const fields = { offset, storedAt, appendedAt, alert, attempt: deliveryCount, reply, touchedAt: now };
    const held = new Held(fields, this);
    this.#table.set(offset, held);
    this.#bytes += alert.byteLength;
    if (deliveryCount > 1) this.#again.push(held);
    else this.#fresh.push(held);
  }

  /**
   * Up to `max` alerts, no more once they come to `maxBytes`: those that are due again, unless only new ones are wanted,
   * then new ones.
   */
  take(max: number, only?: 'new', maxBytes = Number.POSITIVE_INFINITY): Held[] {
    const taken: Held[] = [];
    const now = performance.now();
    let bytes = 0;
    while (only === undefined && taken.length < max && bytes < maxBytes) {
      const top = this.#again.top;
      if (!top || (top.due > now && top.state !== 'gone')) break;
      this.#again.pop();
      bytes += this.#handOut(top, taken, now);
    }
    while (taken.length < max && bytes < maxBytes && this.#freshAt < this.#fresh.length) {
      bytes += this.#handOut(this.#fresh[this.#freshAt++]!, taken, now);
    }
    if (this.#freshAt > 1024 && this.#freshAt * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#freshAt);
      this.#freshAt = 0;
    }
    return taken;
  }

  /** When the next retry is due, on the monotonic clock; infinity when there is none. */
  nextDue(): number {
    while (this.#again.top?.state === 'gone') this.#again.pop();
    return this.#again.top?.due ?? Number.POSITIVE_INFINITY;
  }

  hasten(which?: 'next'): void {
    if (which === undefined) this.#again.setAllDue(0);
    // Asked for first, or what is gone could be taken for the next one.
    else if (this.nextDue() < Number.POSITIVE_INFINITY) this.#again.setNextDue(performance.now());
  }

  /**
   * Tells the server what is still ours and lets go of what is not.
   * @param isWanted somebody takes alerts; else those that nobody has tried go back to the server
   * @param first the oldest sequence in the stream: what is older exists only here
   */
  sweep(isWanted: boolean, first: number): void {
    const now = performance.now();
    for (const held of [...this.#table.values()]) {
      const isInStream = held.offset >= first;
      if (held.state === 'waiting') {
        const isLost = held.due + OURS_AFTER_DUE_MS - LET_GO_MS < now;
        if (isLost && isInStream) this.#forget(held);
      } else if (held.state === 'ready' && !isWanted && isInStream) {
        this.#giveBack(held);
      } else if (now - held.touchedAt > TOUCH_MS) {
        this.#touch(held, now);
      }
    }
  }

  /**
   * Gives everything that is not settled back to the server, for any replica.
   * @param first the oldest sequence in the stream: what is older exists only here, and is lost now
   * @returns the subject of the first answer
   */
  release(first: number): string | undefined {
    const all = [...this.#table.values()];
    for (const held of all) this.#giveBack(held);
    const { log, output } = this.#options;
    const alerts = all.filter(({ offset }) => offset < first).length;
    if (alerts > 0) {
      log.error({ output, alerts }, 'undelivered alerts that are not in the stream any more are lost');
    }
    return all.find(({ reply }) => reply !== undefined)?.reply;
  }

  acked(held: Held): void {
    if (this.#table.get(held.offset) !== held) return;
    this.#forget(held);
    if (held.reply === undefined) return;
    this.#settled.add(held.offset, held.storedAt, performance.now());
    this.#options.acks.ack(held.reply);
  }

  retried(held: Held, afterMs: number): void {
    if (!this.#isOpen || this.#table.get(held.offset) !== held) return;
    const waitMs = afterMs > 0 ? Math.min(afterMs, Number.MAX_SAFE_INTEGER) : 0;
    // Tried again from here when the time has come. The server hands it to another replica when that does not happen.
    this.#options.acks.nak(held.reply, waitMs + OURS_AFTER_DUE_MS);
    this.#replace(held, 'waiting', performance.now() + waitMs, held.attempt + 1);
  }

  async buried(held: Held, error: Error): Promise<void> {
    if (this.#table.get(held.offset) !== held) return;
    const { output, clock, bury } = this.#options;
    held.state = 'burying';
    try {
      await bury(letterOf(output, held, error, clock), held.offset);
    } catch (problem) {
      if (held.state === 'burying') held.state = 'out';
      throw problem;
    }
    this.acked(held);
  }

  /** How many bytes were handed out: none when the alert is gone. */
  #handOut(held: Held, taken: Held[], now: number): number {
    if (held.state !== 'ready' && held.state !== 'waiting') return 0;
    // The server believes that it waits; it would hand it to somebody else in the middle of the try.
    if (held.state === 'waiting' || now - held.touchedAt > TOUCH_MS) this.#touch(held, now);
    held.state = 'out';
    taken.push(held);
    return held.alert.byteLength;
  }

  /** The next hand-out of an alert takes the place of this one, which counts no more. */
  #replace(held: Held, state: 'ready' | 'waiting', due: number, attempt: number): void {
    const next = new Held({ ...fieldsOf(held), attempt }, this);
    held.state = 'gone';
    next.state = state;
    next.due = due;
    this.#table.set(held.offset, next);
    this.#again.push(next);
  }

  #touch(held: Held, now: number): void {
    held.touchedAt = now;
    this.#options.acks.inProgress(held.reply);
  }

  #giveBack(held: Held): void {
    this.#forget(held);
    this.#options.acks.nak(held.reply);
  }

  /** The stream has it no more: it stays in hand, out of the way of an alert that comes under its number. */
  #setAside(held: Held): void {
    this.#table.delete(held.offset);
    held.offset = --this.#orphans;
    held.reply = undefined;
    this.#table.set(held.offset, held);
  }

  #forget(held: Held): void {
    held.state = 'gone';
    this.#table.delete(held.offset);
    this.#bytes -= held.alert.byteLength;
  }

  #decode(message: Pulled) {
    try {
      const uuid = message.headers?.get(MESSAGE_ID);
      return this.#options.alerts.get(message.info.streamSequence, uuid, message.data);
    } catch (error) {
      this.#options.unreadable(message.info.streamSequence, error);
      this.#options.acks.term(message.reply);
      return undefined;
    }
  }
}

function fieldsOf({ offset, storedAt, appendedAt, alert, attempt, reply, touchedAt }: Held) {
  return { offset, storedAt, appendedAt, alert, attempt, reply, touchedAt };
}
