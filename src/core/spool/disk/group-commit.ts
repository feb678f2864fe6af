/** Writes alerts together that come together, with one call: those of one turn of the event loop. */
import { performance } from 'node:perf_hooks';
import type { Alert } from '../../alert/alert.ts';

/** Writes alerts of that size. Undefined when they are as durable as configured; otherwise resolves when they are. */
export type Write = (alerts: readonly Alert[], bytes: number) => Promise<void> | undefined;

/** Alerts that are written together. */
interface Batch extends PromiseWithResolvers<void> {
  alerts: Alert[];
  bytes: number;
}

/** Turns in a row with one call each, after which the end of the next one is not waited for. */
const CALM_TURNS = 16;

export class GroupCommit {
  readonly #write: Write;
  #batch: Batch | undefined;
  /** The last turn with calls of `add`, and how many it had. */
  #turn = 0;
  #calls = 0;
  /** Turns in a row that had one. */
  #calmTurns = 0;

  constructor(write: Write) {
    this.#write = write;
  }

  /** Bytes that wait for their write. */
  get bytes(): number {
    return this.#batch?.bytes ?? 0;
  }

  /** Writes alerts, now or at the end of the turn; answers as `Write` does. */
  add(alerts: readonly Alert[], bytes: number): Promise<void> | undefined {
    if (!this.#batch) this.#lookAtTurn();
    this.#calls++;
    if (!this.#batch) {
      // The end of the turn would bring nothing more.
      if (this.#calls === 1 && this.#calmTurns >= CALM_TURNS) return this.#write(alerts, bytes);
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
    batch.resolve(this.#write(batch.alerts, batch.bytes));
  }

  /** In another turn, calls are counted anew. */
  #lookAtTurn(): void {
    const { loopCount } = performance.nodeTiming.uvMetricsInfo;
    if (loopCount === this.#turn) return;
    this.#calmTurns = this.#calls === 1 ? this.#calmTurns + 1 : 0;
    this.#turn = loopCount;
    this.#calls = 0;
  }
}
