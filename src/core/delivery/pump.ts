/**
 * Moves alerts of one output from the log through its open output: as many tries at once as window, breaker, rate limit
 * and batches allow. Driven by events; nothing waits in a loop.
 */
import { ClockJumps } from '../clock-jumps.ts';
import type { Output } from '../contract.ts';
import { type FailureReason, PartialError, PermanentError, RetriableError } from '../errors.ts';
import { cappedRetryAfter } from '../retry.ts';
import type { Delivery, RateLimiter } from '../spool/contract.ts';
import { Alarm } from './alarm.ts';
import { Batcher } from './batch.ts';
import { Breaker } from './breaker.ts';
import { CongestionWindow } from './congestion.ts';
import type { BreakerState, OutputStatus } from './contract.ts';
import { DefectError, type Failure, sharedErrors, toFailure } from './failure.ts';
import { Intake } from './intake.ts';
import { type DeliveryLimits, limitsOf, MAX_BURYING } from './limits.ts';
import type { OutputWorkerOptions } from './options.ts';
import { rateLimiterOf } from './rate-limit.ts';
import { Replay, type Replayable, Replayed } from './replay.ts';
import { Settlement } from './settlement.ts';
import { Tries, Try } from './tries.ts';

/** Where the far side takes a part of a batch, why the rest says that it was too much. */
const TOO_MUCH: ReadonlySet<FailureReason> = new Set(['timeout', 'rate_limited']);

/** One output's delivery while it is open; the worker starts and halts it. */
export class Pump {
  readonly breaker: Breaker;
  readonly settlement: Settlement;
  readonly window: CongestionWindow;
  readonly #options: OutputWorkerOptions;
  readonly #limits: DeliveryLimits;
  readonly #bucket: RateLimiter | undefined;
  readonly #batcher: Batcher;
  readonly #intake: Intake;
  readonly #tries: Tries;
  readonly #alarm = new Alarm(() => this.pump());
  /** Aborted when no more alerts are taken. */
  readonly #life = new AbortController();
  #output: Output | undefined;
  #pumping = false;
  #idle: (() => void) | undefined;
  #seen: BreakerState = 'closed';

  constructor(options: OutputWorkerOptions) {
    const { instance, clock, observer, consumer, log, mask } = options;
    const { delivery } = instance;
    this.#options = options;
    this.#limits = limitsOf(delivery);
    this.window = new CongestionWindow({ ...this.#limits, timeoutMs: delivery.timeoutMs });
    this.breaker = new Breaker({ ...delivery.breaker, minMs: delivery.retry.minMs });
    this.#bucket = rateLimiterOf(options, () => this.pump());
    this.#batcher = new Batcher(delivery.batch);
    this.#tries = new Tries(delivery.timeoutMs, clock, one => this.#timedOut(one));
    this.settlement = new Settlement({
      output: instance.id,
      policy: delivery.retry,
      ordered: this.#limits.concurrency === 1,
      clock,
      jumps: options.jumps ?? new ClockJumps(clock),
      log,
      observer,
      mask,
      parked: (one, dueAt) => {
        if (!(one instanceof Replayed)) this.#intake.park(one, dueAt);
      },
      buried: () => {
        this.pump();
        this.#checkIdle();
      },
    });
    this.#intake = new Intake(this.#batcher, {
      consumer,
      accepts: this.settlement.filter(alert => options.accepts(alert)),
      clock,
      limits: this.#limits,
      signal: this.#life.signal,
      skipped: alerts => observer.skipped(alerts),
      ready: () => this.pump(),
      failed: error =>
        log.error(
          { output: instance.id, error: toFailure(error, mask).message },
          'the log cannot be read; trying again',
        ),
    });
  }

  get replay(): Replay | undefined {
    return this.#intake.replay;
  }

  get state(): OutputStatus['state'] {
    if (!this.#output) return 'opening';
    if (this.breaker.state === 'closed') return 'running';
    return this.breaker.asked ? 'paused' : 'failing';
  }

  /** Starts to deliver. */
  run(output: Output): void {
    this.#output = output;
    this.pump();
  }

  /** Takes no more alerts, waits for the tries in flight up to the grace time, then aborts them. */
  async halt(graceMs: number): Promise<void> {
    this.#life.abort();
    this.#alarm.clear();
    this.replay?.close(new Error('the output was stopped before the replay was done'));
    if (this.#busy) {
      const timer = setTimeout(() => this.#idle?.(), graceMs);
      await new Promise<void>(resolve => {
        this.#idle = resolve;
      });
      clearTimeout(timer);
    }
    this.#tries.close();
    for (const one of this.#tries) {
      one.ended = true;
      one.abort(new RetriableError('the output was stopped', { reason: 'other' }));
    }
  }

  /** Sends another source's alerts in turns with the log's; resolves when all are settled. */
  async runReplay(source: AsyncIterable<Replayable>): Promise<void> {
    const replay = new Replay({
      source,
      window: this.#limits.replayWindow,
      ready: () => this.pump(),
    });
    this.#intake.replay = replay;
    if (this.#life.signal.aborted) replay.close(new Error('the output was stopped before the replay began'));
    this.pump();
    try {
      await replay.finished;
    } finally {
      this.#intake.replay = undefined;
    }
  }

  /** Starts whatever may start. Called whenever that can have changed; sees to its own next call otherwise. */
  pump(): void {
    if (this.#pumping || !this.#output || this.#life.signal.aborted || this.#isWaiting) return;
    this.#pumping = true;
    try {
      while (this.#startNext(this.#output)) {}
    } finally {
      this.#pumping = false;
    }
  }

  /** There is nothing in hand, and the log tells when it has something: so after most tries, and that is seen early. */
  get #isWaiting(): boolean {
    const isEmpty = this.#batcher.size + this.settlement.held === 0;
    return isEmpty && this.#intake.isWaiting && this.breaker.state === 'closed';
  }

  /** Starts one try. False when there is nothing to start now. */
  #startNext(output: Output): boolean {
    const now = this.#options.clock.monotonic();
    const { gathered, inHandBytes } = this.#limits;
    const { concurrency, batchItems } = this.window;
    if (this.#tries.size >= concurrency || this.settlement.burying >= MAX_BURYING) return false;
    const room = this.breaker.room(now);
    this.#breakerMoved();
    const slots = Math.min(room, concurrency - this.#tries.size);
    if (slots <= 0) return this.#wakeAt(this.breaker.pausedUntil);
    const allowed = this.#bucket?.available(now) ?? Number.POSITIVE_INFINITY;
    if (allowed < 1) return this.#wakeAt(now + this.#bucket!.waitMs(now));
    const together = Math.min(allowed, batchItems);

    if (this.settlement.held > 0) {
      if (now < this.settlement.heldUntil) return this.#wakeAt(this.settlement.heldUntil);
      return this.#send(output, this.settlement.takeHeld(together), now);
    }
    const isProbe = this.breaker.state === 'half-open';
    const most = isProbe ? 1 : Math.min(slots * batchItems, allowed, gathered);
    const want = most - this.#batcher.size;
    const bytes = inHandBytes - this.#bytesInHand;
    if (want > 0 && bytes > 0) {
      if (isProbe) this.#intake.gatherProbe(now);
      else this.#intake.gather(want, bytes, now);
    }
    const dueInMs = this.#batcher.dueInMs(now, batchItems);
    if (dueInMs === 0) return this.#send(output, this.#batcher.shift(together, now), now);
    this.#intake.listen(most - this.#batcher.size, inHandBytes - this.#bytesInHand, now);
    this.#wakeAt(this.#intake.blockedUntil(now));
    return this.#wakeAt(dueInMs === undefined ? undefined : now + dueInMs);
  }

  get #bytesInHand(): number {
    return this.#tries.bytes + this.#batcher.bytes + this.settlement.heldBytes;
  }

  /** Pumps at that time at the latest. Returns false for the convenience of its callers. */
  #wakeAt(at: number | undefined): false {
    if (at !== undefined) this.#alarm.set(at, this.#options.clock.monotonic());
    return false;
  }

  #send(output: Output, deliveries: readonly Delivery[], now: number): true {
    this.#bucket?.take(deliveries.length);
    const one = new Try(deliveries, this.settlement.attemptTold(deliveries[0]!), now, this.breaker.start());
    this.#tries.add(one);
    one.fills = this.#tries.size >= this.window.concurrency;
    let sent: Promise<void>;
    try {
      sent = Promise.resolve(
        output.send(
          deliveries.map(delivery => delivery.alert),
          one,
        ),
      );
    } catch (error) {
      sent = Promise.reject(error);
    }
    sent.then(
      () => this.#ended(one, undefined),
      error => this.#ended(one, this.#timeoutOf(one, error) ?? error ?? new Error('failed without an error')),
    );
    return true;
  }

  /** What a try that was given up fails with, however the output says so: its words may be those of a defect. */
  #timeoutOf(one: Try, error: unknown): Error | undefined {
    return error instanceof PartialError ? undefined : one.reason;
  }

  #timedOut(one: Try): void {
    const error = new RetriableError(`no answer within ${this.#options.instance.delivery.timeoutMs} ms`, {
      reason: 'timeout',
    });
    one.abort(error);
    // An answer may be there, all but the rest of its body, and then it counts: a tick comes after all promises that
    // the abort has settled.
    queueMicrotask(() => process.nextTick(() => this.#ended(one, error)));
  }

  /** The outcome of a try; only the first one counts. */
  #ended(one: Try, error: unknown): void {
    if (one.ended) return;
    one.ended = true;
    this.#tries.delete(one);
    const now = this.#options.clock.monotonic();
    if (error === undefined) {
      this.breaker.answered(one.probe);
      this.window.accepted(one, now);
      this.settlement.accepted(one.deliveries, now - one.startedAt);
    } else if (error instanceof PartialError) {
      this.#partly(one, error, now);
    } else {
      const failure = this.settlement.note(error);
      this.#options.observer.tried(one.deliveries.length, now - one.startedAt, failure.reason);
      this.#judgeFarSide(one, failure, now);
      if (failure instanceof PermanentError && one.deliveries.length > 1) {
        this.settlement.separate(one.deliveries);
      } else {
        this.settlement.unaccepted(one.deliveries, failure, this.state);
      }
    }
    this.#breakerMoved();
    this.pump();
    this.#checkIdle();
  }

  /** Some alerts of a batch were refused, each with an error of its own or with one that it shares. */
  #partly(one: Try, error: PartialError, now: number): void {
    const shared = sharedErrors(error);
    const accepted = one.deliveries.filter((_, index) => !error.failed.has(index));
    this.settlement.accepted(accepted, now - one.startedAt);
    let first: Failure | undefined;
    one.deliveries.forEach((delivery, index) => {
      const cause = error.failed.get(index);
      if (!cause) return;
      const failure = this.settlement.note(cause);
      first ??= failure;
      if (TOO_MUCH.has(failure.reason)) this.window.failed(one, failure.reason, now);
      this.#options.observer.tried(1, now - one.startedAt, failure.reason);
      if (failure instanceof PermanentError && shared.has(cause)) this.settlement.separate([delivery]);
      else this.settlement.unaccepted([delivery], failure, this.state);
    });
    if (first && accepted.length === 0) this.#judgeFarSide(one, first, now);
    else this.breaker.answered(one.probe);
  }

  /** What a failure says about the far side as a whole. */
  #judgeFarSide(one: Try, failure: Failure, now: number): void {
    if (failure instanceof RetriableError) {
      this.window.failed(one, failure.reason, now);
      this.breaker.failed(one.probe, now, this.#options.clock.random(), cappedRetryAfter(failure));
    } else if (failure instanceof DefectError) {
      this.breaker.failed(one.probe, now, this.#options.clock.random());
    } else if (failure.reason === 'payload') {
      this.breaker.released(one.probe);
    } else {
      this.breaker.answered(one.probe);
    }
  }

  #breakerMoved(): void {
    const { state } = this.breaker;
    if (state === this.#seen) return;
    this.#seen = state;
    this.#options.observer.breaker(state);
    if (state === 'open') return;
    // Where order is kept, what is held makes the probe: nothing else may go before it.
    this.settlement.hasten();
    if (state === 'half-open') return;
    // Who was asked to wait has the time of that; sooner, an alert that is always asked to would make the next pause.
    if (!this.breaker.asked) this.#intake.hasten();
    this.settlement.log.recovered();
  }

  get #busy(): boolean {
    return this.#tries.size + this.settlement.burying > 0;
  }

  #checkIdle(): void {
    if (!this.#busy) this.#idle?.();
  }
}
