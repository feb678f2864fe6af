/** What the HTTP server needs of the daemon behind it. */
import type { AlertDraft } from '../alert/alert.ts';
import { REFUSAL_REASONS } from '../alert/parse.ts';
import type { OutputStatus } from '../delivery/contract.ts';
import type { DeadLetterFilter, DeadLetters, Entry, ReadRange, SpoolStats } from '../spool/contract.ts';

/** Whether the daemon can keep its promise, and if not, why. */
export interface Readiness {
  ready: boolean;
  /** What is not as it should be; `blocking` ones make the daemon not ready. */
  problems: { part: string; message: string; blocking: boolean }[];
}

/** Why a request was refused: label of the refusal metric. */
export const REQUEST_REFUSALS = [
  ...REFUSAL_REASONS,
  'method',
  'bad_request',
  'too_large',
  'encoding',
  'unauthorized',
  'overloaded',
  'spool_full',
  'spool_fault',
  'timeout',
  'bad_cloudevent',
  'internal',
] as const;

export type RequestRefusal = (typeof REQUEST_REFUSALS)[number];

/** Told of what comes in. Calls are cheap and never throw. */
export interface IngestObserver {
  accepted(alerts: number): void;
  refused(reason: RequestRefusal): void;
}

export interface StatusReport {
  version: string;
  startedAt: number;
  readiness: Readiness;
  spool: SpoolStats;
  outputs: OutputStatus[];
  reloads: { ok: number; failed: number; lastError?: string };
}

/** Outcome of a test alert at one output. */
export interface TestOutcome {
  output: string;
  ok: boolean;
  durationMs: number;
  error?: string;
}

/** What a replay of dead letters comes to. */
export interface ReplayOutcome {
  queued: number;
  /** Left as they are: their output is not running. */
  skipped: number;
}

export interface Backend {
  /**
   * Enriches, seals and appends alerts. Undefined when they are as durable as configured; otherwise resolves when they
   * are.
   * @throws SpoolFullError | SpoolFaultError
   */
  take(drafts: readonly AlertDraft[]): Promise<void> | undefined;
  readiness(): Readiness;
  metrics(): Promise<{ contentType: string; text: string }>;
  status(): StatusReport;
  /** The effective configuration, secrets masked. */
  maskedConfig(): Record<string, unknown>;
  /** Entries of the log; with `follow` also those to come, until the signal aborts. */
  entries(range: ReadRange & { follow?: boolean }, signal: AbortSignal): AsyncIterable<Entry>;
  deadLetters(): DeadLetters;
  /** Sends dead letters again; a letter goes when its output has accepted it. Throws RangeError for an unknown output. */
  replayDeadLetters(filter: DeadLetterFilter): Promise<ReplayOutcome>;
  /** Sends a piece of the log to one output again; resolves when it is queued. Throws RangeError for an unknown output. */
  replayLog(output: string, range: ReadRange): Promise<void>;
  /** Sends the test alert past the log straight to one output or to all; one try each. Throws RangeError for an unknown output. */
  test(output: string | undefined, signal: AbortSignal): Promise<TestOutcome[]>;
  /** Reads the configuration again. Throws ConfigError when it is refused; the old one then stays. */
  reload(): Promise<void>;
}
