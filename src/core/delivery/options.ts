/** What a worker is made of. */
import type { ClockJumps } from '../clock-jumps.ts';
import type { OutputInstance } from '../config/types.ts';
import type { Alert, Clock, Logger, Output } from '../contract.ts';
import type { Consumer, DeadLetters, RateLimiter } from '../spool/contract.ts';
import type { DeliveryObserver } from './contract.ts';

export interface OutputWorkerOptions {
  instance: OutputInstance;
  /** Whether an alert is for this output. */
  accepts(alert: Alert): boolean;
  /** Opens the output; called again after a failure. */
  open(): Promise<Output>;
  consumer: Consumer;
  /** A rate limit over all processes with this log; undefined or absent: each has its own. */
  sharedLimit?(ready: () => void): RateLimiter | undefined;
  clock: Clock;
  /** Those of the process; absent: those since the worker was made. */
  jumps?: ClockJumps;
  log: Logger;
  observer: DeliveryObserver;
  /** For the status only; alerts get there by their delivery's `bury`. */
  deadLetters?: Pick<DeadLetters, 'count'>;
  /** Masks secrets in what errors say, before it is logged, shown or kept. */
  mask?(text: string): string;
}
