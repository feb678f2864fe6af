/** The log lines of one output's failures: the first at once, then so many a minute with counts. */
import type { Alert, Clock, Logger } from '../contract.ts';
import type { FailureReason } from '../errors.ts';
import { LineLimit } from '../log-limit.ts';
import type { Delivery } from '../spool/contract.ts';

/** An outage is one line a minute; each alert given up is worth one of its own until they come in masses. */
const RETRY_LINES = 1;
const BURY_LINES = 10;

export class FailureLog {
  readonly #output: string;
  readonly #log: Logger;
  readonly #retries: LineLimit;
  readonly #openings: LineLimit;
  readonly #buried: LineLimit;
  readonly #unburied: LineLimit;
  readonly #defects: LineLimit;
  #troubled = false;

  constructor(output: string, log: Logger, clock: Pick<Clock, 'monotonic'>) {
    this.#output = output;
    this.#log = log;
    this.#retries = new LineLimit(clock, RETRY_LINES);
    this.#openings = new LineLimit(clock, RETRY_LINES);
    this.#buried = new LineLimit(clock, BURY_LINES);
    this.#unburied = new LineLimit(clock, RETRY_LINES);
    this.#defects = new LineLimit(clock, RETRY_LINES);
  }

  /** Alerts will be tried again. `details` says where things stand. */
  retrying(reason: FailureReason, error: string, alerts: number, details: Record<string, unknown>): void {
    const failed = this.#retries.pass(alerts);
    if (failed === undefined) return;
    this.#troubled = true;
    this.#log.warn(
      { output: this.#output, reason, error, alerts: failed, ...details },
      'delivery failed, will be tried again',
    );
  }

  /** The output cannot be opened. */
  opening(reason: FailureReason, error: string, retryInMs: number): void {
    const times = this.#openings.pass();
    if (times === undefined) return;
    this.#troubled = true;
    this.#log.warn(
      { output: this.#output, reason, error, times, retryInMs },
      'output cannot be opened, will be tried again',
    );
  }

  /** An alert was given up. */
  buried(
    { alert, isLetter }: Pick<Delivery, 'alert' | 'isLetter'>,
    reason: FailureReason,
    error: string,
  ): void {
    const alerts = this.#buried.pass();
    if (alerts === undefined) return;
    this.#log.error(
      { output: this.#output, reason, error, alerts, uuid: alert.uuid, rule: alert.rule },
      isLetter
        ? 'replayed alert given up again, still a dead letter'
        : 'alert given up, kept as a dead letter',
    );
  }

  /** An alert was given up, and its dead letter cannot be stored. */
  unburied(alert: Alert, error: string): void {
    const alerts = this.#unburied.pass();
    if (alerts === undefined) return;
    this.#log.error(
      { output: this.#output, error, alerts, uuid: alert.uuid, rule: alert.rule },
      'dead letter cannot be stored, the alert will be tried again',
    );
  }

  /** The output threw something that is none of our errors. */
  defect(error: string, stack: string | undefined): void {
    const times = this.#defects.pass();
    if (times === undefined) return;
    this.#log.error({ output: this.#output, error, stack, times }, 'defect in the output');
  }

  /** The far side takes alerts again. */
  recovered(): void {
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#log.info({ output: this.#output }, 'delivering again');
  }
}
