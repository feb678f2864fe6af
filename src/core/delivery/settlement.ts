/** What becomes of alerts after a try: delivered, tried again, or given up. Counts and logs each. */
import type { ClockJumps } from '../clock-jumps.ts';
import type { Alert, Clock, Logger } from '../contract.ts';
import { PermanentError } from '../errors.ts';
import { type NextStep, nextStep, type RetryPolicy } from '../retry.ts';
import type { Delivery } from '../spool/contract.ts';
import { BURY_AGAIN_MS } from '../spool/letters/letter.ts';
import type { DeliveryObserver } from './contract.ts';
import { DefectError, type Failure, stackOf, toFailure } from './failure.ts';
import { FailureLog } from './failure-log.ts';

export interface SettlementOptions {
  /** The output's id. */
  output: string;
  policy: RetryPolicy;
  /** Keeps alerts that failed in hand: everything behind them waits. */
  ordered: boolean;
  clock: Clock;
  jumps: ClockJumps;
  log: Logger;
  observer: DeliveryObserver;
  mask: ((text: string) => string) | undefined;
  /** An alert went back to the log until then, on the monotonic clock. */
  parked(delivery: Delivery, dueAt: number): void;
  /** An alert that was given up is stored, or parked. */
  buried(): void;
}

/** Settles the deliveries of one output, and holds those that go before all others. */
export class Settlement {
  readonly log: FailureLog;
  lastSuccessAt: number | undefined;
  lastFailureAt: number | undefined;
  /** Without secrets. */
  lastError: string | undefined;
  /** Alerts on their way into the dead letters. */
  burying = 0;
  /** Alerts that go before all others: where order is kept, those that are tried again; those that go by themselves. */
  readonly #held: Delivery[] = [];
  #heldBytes = 0;
  /** How many of them have come back since some were taken: they stand before the rest. */
  #back = 0;
  /** Those of requests that were refused as a whole: each goes by itself. */
  readonly #alone = new WeakSet<Delivery>();
  /** Number of the next try of alerts that were held: the log knows nothing of it. */
  readonly #attempts = new Map<Delivery, number>();
  #heldUntil = 0;
  readonly #options: SettlementOptions;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.log = new FailureLog(options.output, options.log, options.clock);
  }

  /** How many alerts are held to go before all others. */
  get held(): number {
    return this.#held.length;
  }

  /** Of their JSON. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** When the next try of what is held is due, on the monotonic clock. */
  get heldUntil(): number {
    return this.#heldUntil;
  }

  takeHeld(max: number): Delivery[] {
    this.#back = 0;
    const before = this.#held.findIndex(delivery => this.#alone.has(delivery));
    const together = before < 0 ? max : Math.min(max, Math.max(before, 1));
    const taken = this.#held.splice(0, together);
    for (const { alert } of taken) this.#heldBytes -= alert.byteLength;
    return taken;
  }

  /** Alerts of a request that was refused as a whole: one of them must not take its neighbours along. */
  separate(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#alone.add(delivery);
      this.#hold(delivery);
    }
  }

  /** The far side is back: what is held is due now. */
  hasten(): void {
    this.#heldUntil = 0;
  }

  /** Number of the try that comes next, or is under way, for an alert. */
  attempt(delivery: Delivery): number {
    return this.#attempts.get(delivery) ?? delivery.attempt;
  }

  /** The same as an output is told it: what was refused with others has been sent before, if not by itself. */
  attemptTold(delivery: Delivery): number {
    return this.attempt(delivery) + (this.#alone.has(delivery) ? 1 : 0);
  }

  accepted(deliveries: readonly Delivery[], durationMs: number): void {
    const { observer, clock } = this.#options;
    if (deliveries.length === 0) return;
    const now = clock.now();
    this.lastSuccessAt = now;
    observer.tried(deliveries.length, durationMs, 'ok');
    for (const delivery of deliveries) {
      observer.delivered(now - delivery.appendedAt);
      this.#attempts.delete(delivery);
      delivery.ack();
    }
  }

  /**
   * Alerts that were not accepted: each is tried again or given up.
   * @param state how the output is doing, for the log
   */
  unaccepted(deliveries: readonly Delivery[], failure: Failure, state: string): void {
    const { clock, policy, jumps } = this.#options;
    // Only here, where something has failed: what is accepted is not asked for its age.
    const now = jumps.look();
    let again = 0;
    let retryInMs = Number.POSITIVE_INFINITY;
    for (const delivery of deliveries) {
      const attempt = this.attempt(delivery);
      const ageMs = now - jumps.adjusted(delivery.appendedAt);
      const step = nextStep(failure, attempt, ageMs, policy, clock.random());
      if (step.giveUp !== undefined) {
        this.#bury(delivery, failure, step.giveUp, ageMs);
      } else {
        again++;
        retryInMs = Math.min(retryInMs, step.retryInMs);
        this.#retry(delivery, attempt, step.retryInMs, failure);
      }
    }
    if (again > 0) {
      this.log.retrying(failure.reason, failure.message, again, { state, retryInMs });
    }
  }

  /** Takes note of a failed try; of a defect also where it came from. */
  note(error: unknown): Failure {
    const failure = this.#record(error);
    if (failure instanceof DefectError) {
      this.log.defect(failure.message, stackOf(error));
    }
    return failure;
  }

  /** Takes note of a failure to open: any error is as good as another there (a file that cannot be read). */
  noteOpening(error: unknown): Failure {
    return this.#record(error);
  }

  /** A filter that fails on an alert must not lose it. */
  filter(accepts: (alert: Alert) => boolean): (alert: Alert) => boolean {
    return alert => {
      try {
        return accepts(alert);
      } catch (error) {
        this.note(error);
        return true;
      }
    };
  }

  #record(error: unknown): Failure {
    const failure = toFailure(error, this.#options.mask);
    this.lastFailureAt = this.#options.clock.now();
    this.lastError = failure.message;
    return failure;
  }

  #retry(delivery: Delivery, attempt: number, inMs: number, failure: Failure): void {
    const { observer, ordered, clock, parked } = this.#options;
    const dueAt = clock.monotonic() + inMs;
    observer.retried(failure.reason);
    if (ordered) {
      // In hand, not back to the log: that would hand out the next alert meanwhile.
      this.#hold(delivery);
      this.#heldUntil = Math.max(this.#heldUntil, dueAt);
      this.#attempts.set(delivery, attempt + 1);
    } else {
      delivery.retry(inMs, failure);
      parked(delivery, dueAt);
    }
  }

  #hold(delivery: Delivery): void {
    this.#held.splice(this.#back++, 0, delivery);
    this.#heldBytes += delivery.alert.byteLength;
  }

  #bury(delivery: Delivery, failure: Failure, why: NonNullable<NextStep['giveUp']>, ageMs: number): void {
    const { observer, buried } = this.#options;
    const { reason } = failure;
    const prefix = {
      refused: '',
      attempts: `given up after ${this.attempt(delivery)} tries: `,
      age: `given up ${Math.round(ageMs / 1000)} s after it came in: `,
    }[why];
    const error = new PermanentError(prefix + failure.message, { reason, cause: failure });
    this.#attempts.delete(delivery);
    this.burying++;
    delivery
      .bury(error)
      .then(
        () => {
          if (!delivery.isLetter) observer.buried(reason);
          this.log.buried(delivery, reason, error.message);
        },
        problem => this.#keep(delivery, failure, problem),
      )
      .then(() => {
        this.burying--;
        buried();
      });
  }

  /** An alert that was given up and cannot be stored counts as parked: new ones wait when there are too many. */
  #keep(delivery: Delivery, failure: Failure, problem: unknown): void {
    const { observer, clock, mask, parked } = this.#options;
    observer.retried(failure.reason);
    this.log.unburied(delivery.alert, toFailure(problem, mask).message);
    delivery.retry(BURY_AGAIN_MS, failure);
    parked(delivery, clock.monotonic() + BURY_AGAIN_MS);
  }
}
