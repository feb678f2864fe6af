/** Lines that an alert or a request can cause: once a minute each, so that a flood of alerts is no flood of lines. */
import type { Clock, Logger } from './contract.ts';

const PERIOD_MS = 60_000;
/** Keys remembered; keys may come from alerts, so there has to be an end to them. */
const MAX_KEYS = 1000;

export interface LogLimit {
  /** Writes a line unless one with the same key was written in the last minute. */
  warn(key: string, fields: Record<string, unknown>, message: string): void;
  error(key: string, fields: Record<string, unknown>, message: string): void;
}

/** A line that follows on suppressed ones says how many as `suppressed`. */
export function createLogLimit(log: Logger, clock: Pick<Clock, 'monotonic'>): LogLimit {
  const written = new Map<string, { at: number; suppressed: number }>();
  const at =
    (level: 'warn' | 'error'): LogLimit['warn'] =>
    (key, fields, message) => {
      const now = clock.monotonic();
      const last = written.get(key);
      if (last && now - last.at < PERIOD_MS) {
        last.suppressed++;
        return;
      }
      written.delete(key);
      if (written.size >= MAX_KEYS) written.delete(written.keys().next().value!);
      written.set(key, { at: now, suppressed: 0 });
      log[level](last?.suppressed ? { ...fields, suppressed: last.suppressed } : fields, message);
    };
  return { warn: at('warn'), error: at('error') };
}
