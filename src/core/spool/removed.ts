/** Says that an output was removed or is back, the same whatever keeps its place. */
import type { Logger } from '../contract.ts';

export interface Removed {
  output: string;
  /** What it has not sent. */
  alerts: number;
  /** How long its place is kept, in milliseconds. */
  keptMs: number;
}

/** Says so where alerts were dropped while it was away: nobody may have looked meanwhile. */
export function tellBack(log: Logger, { output, dropped }: { output: string; dropped: number }): void {
  if (dropped === 0) return;
  log.warn(
    { output, dropped },
    'an output is back; the spool was full or alerts too old: some that came while it was removed were dropped',
  );
}

export function tellRemoved(log: Logger, removed: Removed): void {
  const level = removed.alerts > 0 ? 'warn' : 'info';
  log[level]({ ...removed }, 'the place of a removed output in the log is kept for a while');
}
