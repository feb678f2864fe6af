/** Says that alerts were dropped, at most once a minute. */
import type { Clock, Logger } from '../contract.ts';
import { LineLimit } from '../log-limit.ts';

export class DropReport {
  readonly #limit: LineLimit;
  readonly #log: Logger;
  #lost = new Map<string, number>();

  constructor(clock: Clock, log: Logger) {
    this.#limit = new LineLimit(clock);
    this.#log = log;
  }

  /** Adds what each consumer lost, and tells when it is time. */
  add(lost: ReadonlyMap<string, number>): void {
    for (const [name, count] of lost) this.#lost.set(name, (this.#lost.get(name) ?? 0) + count);
    this.tell();
  }

  /** Tells what has not been told, unless something was told within the last minute. */
  tell(): void {
    if (this.#lost.size > 0 && this.#limit.pass() !== undefined) this.#tell();
  }

  /** Tells what has not been told: the process ends. */
  close(): void {
    if (this.#lost.size > 0) this.#tell();
  }

  #tell(): void {
    this.#log.warn(
      { dropped: Object.fromEntries(this.#lost) },
      'the spool or its disk is full, or its alerts are too old: alerts that outputs had not read were dropped',
    );
    this.#lost = new Map();
  }
}
