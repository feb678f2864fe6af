/** What is known of the alerts that went back to the log to be handed out again. Times are on the monotonic clock. */
import type { Delivery } from '../spool/contract.ts';

/** What the log's timers may lag behind, in milliseconds: asked earlier, it would hand out a new alert instead. */
const SLACK_MS = 5;

interface Parked {
  dueAt: number;
  readonly bytes: number;
}

/** Counts what waits for a retry, and says when the next of it is due. */
export class Parking {
  readonly #maxAlerts: number;
  readonly #maxBytes: number;
  /** By offset. */
  readonly #parked = new Map<number, Parked>();
  #bytes = 0;

  constructor(maxAlerts: number, maxBytes: number) {
    this.#maxAlerts = maxAlerts;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#parked.size;
  }

  /** Whether new alerts have to stay in the log. A single one, however large, holds back no others. */
  get isFull(): boolean {
    const { size } = this.#parked;
    return size >= this.#maxAlerts || (size > 1 && this.#bytes >= this.#maxBytes);
  }

  /** The alert will be handed out again then. */
  add({ offset, alert }: Delivery, dueAt: number): void {
    this.delete(offset);
    const { length } = alert.bytes;
    this.#parked.set(offset, { dueAt: dueAt + SLACK_MS, bytes: length });
    this.#bytes += length;
  }

  /** The alert has been handed out. */
  delete(offset: number): void {
    const parked = this.#parked.get(offset);
    if (!parked) return;
    this.#parked.delete(offset);
    this.#bytes -= parked.bytes;
  }

  /** How many are due. */
  due(now: number): number {
    let count = 0;
    for (const { dueAt } of this.#parked.values()) if (dueAt <= now) count++;
    return count;
  }

  /** When the next one is due; infinity when there is none. */
  nextDue(): number {
    return this.#next()?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** All are due now; still here until they are handed out, or new ones would come on top of them. */
  hasten(): void {
    for (const parked of this.#parked.values()) parked.dueAt = 0;
  }

  /** The next one is due now. */
  hastenNext(): void {
    const next = this.#next();
    if (next) next.dueAt = 0;
  }

  /** The log has only so many left: a full one has dropped its oldest, and they will not come back. */
  forgetAllBut(count: number): void {
    const gone = this.#parked.size - count;
    if (gone <= 0) return;
    const offsets = [...this.#parked.keys()].sort((a, b) => a - b);
    for (const offset of offsets.slice(0, gone)) this.delete(offset);
  }

  #next(): Parked | undefined {
    let next: Parked | undefined;
    for (const parked of this.#parked.values()) {
      if (!next || parked.dueAt < next.dueAt) next = parked;
      // None is before 0: when all have been hastened, the first look is enough.
      if (next.dueAt <= 0) break;
    }
    return next;
  }
}
