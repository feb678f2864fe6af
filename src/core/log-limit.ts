/** Lines that an alert or a request can cause: so many a minute, so that a flood of alerts is no flood of lines. */
import type { Clock, Logger } from './contract.ts';

const MINUTE_MS = 60_000;
/** Keys remembered; keys may come from alerts, so there has to be an end to them. */
const MAX_KEYS = 1000;

/** Lets so many lines through in a minute and counts what the others would have told of. */
export class LineLimit {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #lines: number;
  #from = Number.NEGATIVE_INFINITY;
  #written = 0;
  #events = 0;

  constructor(clock: Pick<Clock, 'monotonic'>, lines = 1) {
    this.#clock = clock;
    this.#lines = lines;
  }

  /** The events that a line speaks for, those of lines held back included; undefined: no line now. */
  pass(events = 1): number | undefined {
    this.#events += events;
    const now = this.#clock.monotonic();
    if (now - this.#from >= MINUTE_MS) {
      this.#from = now;
      this.#written = 0;
    }
    if (this.#written >= this.#lines) return undefined;
    this.#written++;
    const count = this.#events;
    this.#events = 0;
    return count;
  }
}

export interface LogLimit {
  /** Writes a line unless one with the same key was written in the last minute. */
  warn(key: string, fields: Record<string, unknown>, message: string): void;
  error(key: string, fields: Record<string, unknown>, message: string): void;
}

/** A line that follows on suppressed ones says how many as `suppressed`. */
export function createLogLimit(log: Logger, clock: Pick<Clock, 'monotonic'>): LogLimit {
  const limits = new Map<string, LineLimit>();
  const at =
    (level: 'warn' | 'error'): LogLimit['warn'] =>
    (key, fields, message) => {
      const limit = limits.get(key) ?? new LineLimit(clock);
      const count = limit.pass();
      if (count === undefined) return;
      // The key that was written longest ago goes first.
      limits.delete(key);
      if (limits.size >= MAX_KEYS) limits.delete(limits.keys().next().value!);
      limits.set(key, limit);
      log[level](count > 1 ? { ...fields, suppressed: count - 1 } : fields, message);
    };
  return { warn: at('warn'), error: at('error') };
}
