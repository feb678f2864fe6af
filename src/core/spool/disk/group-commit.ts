/** Writes alerts together that come together, with one call: those of one turn of the event loop. */
import type { Alert } from '../../alert.ts';

/** Writes alerts of that size. Undefined when they are as durable as configured; otherwise resolves when they are. */
export type Write = (alerts: readonly Alert[], bytes: number) => Promise<void> | undefined;

/** Alerts that are written together. */
interface Batch extends PromiseWithResolvers<void> {
  alerts: Alert[];
  bytes: number;
}

export class GroupCommit {
  readonly #write: Write;
  #batch: Batch | undefined;
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
    if (!this.#batch) {
      if (this.#hasSlept()) return this.#write(alerts, bytes);
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

  /**
   * Whether the event loop has waited for events since the last call. What comes first then mostly comes alone, and
   * the end of the turn would come with nothing more; what is right behind it is gathered.
   */
  #hasSlept(): boolean {
    const { idleTime } = performance.nodeTiming;
    if (idleTime === this.#idleTime) return false;
    this.#idleTime = idleTime;
    return true;
  }
}
