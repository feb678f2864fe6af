/** The log lines of one output's failures: the first at once, then so many a minute with counts. */
import type { Alert, Logger } from '../contract.ts';
import type { FailureReason } from '../errors.ts';

const MINUTE_MS = 60_000;
/** An outage is one line a minute; each alert given up is worth one of its own until they come in masses. */
const RETRY_LINES = 1;
const BURY_LINES = 10;

/** Lets so many lines through in a minute and counts the others. */
class LineLimit {
  readonly #lines: number;
  #from = Number.NEGATIVE_INFINITY;
  #written = 0;
  #alerts = 0;

  constructor(lines: number) {
    this.#lines = lines;
  }

  /** The alerts that a line speaks for, those of lines held back included; undefined: no line now. */
  pass(alerts: number, now: number): number | undefined {
    this.#alerts += alerts;
    // A clock that was set back starts a new minute.
    if (now - this.#from >= MINUTE_MS || now < this.#from) {
      this.#from = now;
      this.#written = 0;
    }
    if (this.#written >= this.#lines) return undefined;
    this.#written++;
    const count = this.#alerts;
    this.#alerts = 0;
    return count;
  }
}

export class FailureLog {
  readonly #output: string;
  readonly #log: Logger;
  readonly #retries = new LineLimit(RETRY_LINES);
  readonly #openings = new LineLimit(RETRY_LINES);
  readonly #buried = new LineLimit(BURY_LINES);
  readonly #unburied = new LineLimit(RETRY_LINES);
  readonly #defects = new LineLimit(RETRY_LINES);
  #troubled = false;

  constructor(output: string, log: Logger) {
    this.#output = output;
    this.#log = log;
  }

  /** Alerts will be tried again. `details` says where things stand. */
  retrying(
    reason: FailureReason,
    error: string,
    alerts: number,
    now: number,
    details: Record<string, unknown>,
  ): void {
    const failed = this.#retries.pass(alerts, now);
    if (failed === undefined) return;
    this.#troubled = true;
    this.#log.warn(
      { output: this.#output, reason, error, alerts: failed, ...details },
      'delivery failed, will be tried again',
    );
  }

  /** The output cannot be opened. */
  opening(reason: FailureReason, error: string, now: number, retryInMs: number): void {
    const times = this.#openings.pass(1, now);
    if (times === undefined) return;
    this.#troubled = true;
    this.#log.warn(
      { output: this.#output, reason, error, times, retryInMs },
      'output cannot be opened, will be tried again',
    );
  }

  /** An alert was given up. */
  buried(alert: Alert, reason: FailureReason, error: string, now: number): void {
    const alerts = this.#buried.pass(1, now);
    if (alerts === undefined) return;
    this.#log.error(
      { output: this.#output, reason, error, alerts, uuid: alert.uuid, rule: alert.rule },
      'alert given up, kept as a dead letter',
    );
  }

  /** An alert was given up, and its dead letter cannot be stored. */
  unburied(alert: Alert, error: string, now: number): void {
    const alerts = this.#unburied.pass(1, now);
    if (alerts === undefined) return;
    this.#log.error(
      { output: this.#output, error, alerts, uuid: alert.uuid, rule: alert.rule },
      'dead letter cannot be stored, the alert will be tried again',
    );
  }

  /** The output threw something that is none of our errors. */
  defect(error: string, stack: string | undefined, now: number): void {
    const times = this.#defects.pass(1, now);
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
