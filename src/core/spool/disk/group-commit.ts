/** Writes alerts together that come together, with one call: those of one turn of the event loop. */
import type { Alert } from '../../alert.ts';

/** Writes alerts of that size. Undefined when they are as durable as configured; otherwise resolves when they are. */
export type Write = (alerts: readonly Alert[], bytes: number) => Promise<void> | undefined;

/** Alerts that are written together. */
interface Batch extends PromiseWithResolvers<void> {
  alerts: Alert[];
  bytes: number;
}

/** Turns in a row with one call each, after which the next one is not waited for. */
const CALM_TURNS = 16;

export class GroupCommit {
  readonly #write: Write;
  #batch: Batch | undefined;
  /** Calls of `add` since the loop has slept, or since the last batch. */
  #calls = 0;
  /** How often in a row it was one call. */
  #calmTurns = 0;
  #idleTime = 0;

  constructor(write: Write) {
    this.#write = write;
  }

  /** Bytes that wait for their write. */
  get bytes(): number {
    return this.#batch?.bytes ?? 0;
  }

  /** Writes alerts, now or at the end of the turn; answers as `Write` does. */
  add(alerts: readonly Alert[], bytes: number): Promise<void> | undefined {
    this.#calls++;
    if (!this.#batch) {
      if (this.#hasSlept()) {
        this.#calls = 1;
        // The end of the turn would bring nothing more.
        if (this.#calmTurns >= CALM_TURNS) return this.#write(alerts, bytes);
      }
      this.#batch = { ...Promise.withResolvers<void>(), alerts: [], bytes: 0 };
      setImmediate(() => this.flush());
    }
    for (const alert of alerts) this.#batch.alerts.push(alert);
    this.#batch.bytes += bytes;
    return this.#batch.promise;
  }

  /** Writes what waits. */
  flush(): void {
    const batch = this.#batch;
    if (!batch) return;
    this.#batch = undefined;
    this.#calmTurns = this.#calls === 1 ? this.#calmTurns + 1 : 0;
    this.#calls = 0;
    batch.resolve(this.#write(batch.alerts, batch.bytes));
  }

  /** Whether the event loop has waited for events since the last call. */
  #hasSlept(): boolean {
    const { idleTime } = performance.nodeTiming;
    if (idleTime === this.#idleTime) return false;
    this.#idleTime = idleTime;
    return true;
  }
}
