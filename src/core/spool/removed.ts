/** Says that an output was removed, the same whatever keeps its place. */
import type { Logger } from '../contract.ts';

export interface Removed {
  output: string;
  /** What it has not sent. */
  alerts: number;
  /** How long its place is kept, in milliseconds. */
  keptMs: number;
}

export function tellRemoved(log: Logger, removed: Removed): void {
  const level = removed.alerts > 0 ? 'warn' : 'info';
  log[level]({ ...removed }, 'the place of a removed output in the log is kept for a while');
}
