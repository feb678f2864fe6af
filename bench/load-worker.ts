/** The thread that sends alerts: own connections, requests patched in place. */
import { connect, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { nowMs } from './clock.ts';
import { templatesFor } from './corpus.ts';
import { type Head, MessageReader } from './http.ts';
import { Ledger, Tally } from './ledger.ts';
import type { LoadPhase, LoadResult, LoadWorkerData } from './load.ts';
import { writeDigits, writeMark } from './marker.ts';

const { run, ledger: buffers, tallies: tallyBuffers } = workerData as LoadWorkerData;
const ledger = new Ledger(buffers);
const tallies = tallyBuffers.map(each => new Tally(each));
const heads = new Map<string, Head>();

/** How often it is looked whether an alert is due, or the window has room. */
const TICK_MS = 1;
/** What is due at the end may still be sent for so long when the daemon has held its answers back. */
const GRACE_MS = 1000;
const ANSWER_TIMEOUT_MS = 30_000;
const STALL_MS = 2000;
const RECONNECT_MS = 20;

/** One connection, which sends one alert at a time. */
class Sender {
  readonly #phase: Phase;
  readonly #templates;
  #socket: Socket | undefined;
  #number = 0;
  #dueMs = 0;
  #isBusy = false;

  constructor(phase: Phase, port: number) {
    this.#phase = phase;
    this.#templates = templatesFor(port, new Date());
  }

  send(number: number, dueMs: number): void {
    this.#number = number;
    this.#dueMs = dueMs;
    this.#isBusy = true;
    const { bytes, marks, fraction } = this.#templates[number % this.#templates.length]!;
    for (const at of marks) writeMark(bytes, at, run, { number, dueMs });
    writeDigits(bytes, fraction, number, 9);
    this.#socket ??= this.#open();
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect(this.#phase.options.port, '127.0.0.1');
    const reader = new MessageReader(heads, head => this.#answered(head, socket));
    socket.setNoDelay(true);
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on('data', chunk => reader.feed(chunk as Buffer));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
      if (!this.#isBusy) return;
      this.#isBusy = false;
      this.#phase.failed(this);
    });
    return socket;
  }

  #answered(head: Head, socket: Socket): void {
    if (!this.#isBusy) return;
    this.#isBusy = false;
    if (!head.keepAlive) {
      this.#socket = undefined;
      socket.end();
    }
    this.#phase.answered(this, head.status, this.#number, nowMs() - this.#dueMs);
  }
}

/** One phase of load, from its first alert to its last answer. */
class Phase {
  readonly options: LoadPhase;
  readonly #free: Sender[] = [];
  readonly #senders: Sender[];
  readonly #startMs = nowMs();
  readonly #endMs: number;
  readonly #first = ledger.next;
  readonly #deliveredBefore = delivered();
  readonly #latencies: number[] = [];
  readonly #done: (result: LoadResult) => void;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #accepted = 0;
  #refused = 0;
  #errors = 0;
  #stalls = 0;
  /** Alerts that are no longer waited for. */
  #givenUp = 0;
  #seen = 0;
  #seenAt = 0;
  #busy = 0;
  #isOver = false;

  constructor(options: LoadPhase, done: (result: LoadResult) => void) {
    this.options = options;
    this.#done = done;
    this.#endMs = this.#startMs + options.durationMs;
    this.#senders = Array.from({ length: options.connections }, () => new Sender(this, options.port));
    this.#free.push(...this.#senders);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
    if (options.isAwake) this.#stayAwake();
  }

  answered(sender: Sender, status: number, number: number, latencyMs: number): void {
    this.#latencies.push(latencyMs);
    if (status >= 200 && status < 300) {
      ledger.acknowledged[number] = 1;
      this.#accepted++;
    } else this.#refused++;
    this.#release(sender);
  }

  failed(sender: Sender): void {
    this.#errors++;
    // At a rate every alert that is due is tried, as Falco does; without one a dead daemon would be hammered.
    if (this.options.perSecond > 0) this.#release(sender);
    else setTimeout(() => this.#release(sender), RECONNECT_MS);
  }

  #release(sender: Sender): void {
    this.#busy--;
    this.#free.push(sender);
    this.#sendDue();
  }

  #tick(): void {
    this.#sendDue();
    const now = nowMs();
    if (this.#isOver && this.#busy === 0) this.#finish(now);
    else if (this.options.window > 0) this.#watchWindow(now);
  }

  /** With an immediate waiting, the event loop asks for events and goes on. */
  #stayAwake(): void {
    if (!this.#isOver) setImmediate(() => this.#stayAwake());
  }

  #sendDue(): void {
    const { perSecond } = this.options;
    while (!this.#isOver && this.#free.length > 0) {
      const now = nowMs();
      const dueMs = perSecond > 0 ? this.#startMs + (this.#sent * 1000) / perSecond : now;
      if (dueMs >= this.#endMs || now >= this.#endMs + (perSecond > 0 ? GRACE_MS : 0)) this.#isOver = true;
      if (this.#isOver || dueMs > now || (this.options.window > 0 && !this.#hasRoom())) return;
      const number = ledger.take();
      if (number === undefined) {
        this.#isOver = true;
        return;
      }
      this.#sent++;
      this.#busy++;
      this.#free.pop()!.send(number, dueMs);
    }
  }

  #underWay(): number {
    return this.#sent - (delivered() - this.#deliveredBefore) - this.#givenUp;
  }

  #hasRoom(): boolean {
    return this.#underWay() < this.options.window;
  }

  #watchWindow(now: number): void {
    if (nowMs() >= this.#endMs) this.#isOver = true;
    const arrived = delivered();
    if (arrived !== this.#seen || this.#hasRoom()) {
      this.#seen = arrived;
      this.#seenAt = now;
    } else if (now - this.#seenAt > STALL_MS) {
      this.#stalls++;
      this.#givenUp += this.#underWay();
      this.#seenAt = now;
    }
  }

  #finish(now: number): void {
    clearInterval(this.#timer);
    for (const sender of this.#senders) sender.close();
    const { perSecond, durationMs } = this.options;
    this.#done({
      first: this.#first,
      end: ledger.next,
      accepted: this.#accepted,
      refused: this.#refused,
      errors: this.#errors,
      unsent: Math.max(0, Math.floor((perSecond * durationMs) / 1000) - this.#sent),
      stalls: this.#stalls,
      elapsedMs: now - this.#startMs,
      latencies: Float64Array.from(this.#latencies),
    });
  }
}

/** Alerts that have reached every sink, at least. */
function delivered(): number {
  return tallies.length === 0 ? 0 : Math.min(...tallies.map(tally => tally.count('delivered')));
}

parentPort!.on('message', (options: LoadPhase) => {
  new Phase(options, result => parentPort!.postMessage(result, [result.latencies.buffer as ArrayBuffer]));
});
