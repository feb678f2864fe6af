/** What the delivery tells others: the metrics listen, the API asks. */
import type { FailureReason } from '../errors.ts';

/** Told of everything that happens to one output's alerts. Calls are cheap and never throw. */
export interface DeliveryObserver {
  /** One try ended: how many alerts, how long it took, and how. */
  tried(alerts: number, durationMs: number, outcome: 'ok' | FailureReason): void;
  /** An alert was accepted by the far side; time from ingest to acceptance, below zero when the clock was set back. */
  delivered(latencyMs: number): void;
  /** An alert will be tried again. */
  retried(reason: FailureReason): void;
  /** An alert was given up and is a dead letter. */
  buried(reason: FailureReason): void;
  /** An alert was not for this output. */
  skipped(alerts: number): void;
  /** The circuit breaker moved. */
  breaker(state: BreakerState): void;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/** How an output is doing. Times are milliseconds since the epoch. */
export interface OutputStatus {
  id: string;
  type: string;
  /**
   * `opening`: not connected yet; `paused`: waiting as the far side asked; `failing`: the breaker is open; `stopping`: no
   * more is sent, what is in flight may finish.
   */
  state: 'opening' | 'running' | 'paused' | 'failing' | 'stopping' | 'stopped';
  breaker: BreakerState;
  /** Until when nothing is sent, when paused or failing. */
  pausedUntil?: number;
  /** Alerts in the log that are not settled. */
  depth: number;
  inFlight: number;
  /** Most alerts that may be on their way at once: it goes by how the far side answers. */
  window: number;
  /** Waiting for a retry. */
  waiting: number;
  oldestAt?: number;
  deadLetters: number;
  dropped: number;
  lastSuccessAt?: number;
  lastFailureAt?: number;
  /** Without secrets. */
  lastError?: string;
  /** A running replay. */
  replay?: ReplayProgress;
  /** Why the last replay ended before all was sent, without secrets; absent when it did not, or another has begun. */
  replayError?: string;
}

/** How far a replay is, in alerts. */
export interface ReplayProgress {
  /** Those that were read, where it is not known how many there are. */
  total: number;
  done: number;
  /** Given up. */
  failed: number;
}
