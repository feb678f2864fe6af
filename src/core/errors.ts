/** Why a try failed: a short fixed set, because it is a metric label. */
export const FAILURE_REASONS = [
  'auth',
  'rate_limited',
  'client_error',
  'server_error',
  'timeout',
  'network',
  'payload',
  'other',
] as const;

export type FailureReason = (typeof FAILURE_REASONS)[number];

interface FailureOptions {
  reason: FailureReason;
  cause?: unknown;
}

/** The far side may accept the same alert later: 407 (a proxy's own), 408, 425, 429, 5xx other than 501, network, timeout. */
export class RetriableError extends Error {
  override readonly name = 'RetriableError';
  readonly reason: FailureReason;
  /** How long the far side asked to wait, in milliseconds, from its answer on. Core caps it. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: FailureOptions & { retryAfterMs?: number }) {
    super(message, { cause: options.cause });
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The far side will never accept this alert (or this configuration): it goes to the dead letters. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
  readonly reason: FailureReason;

  constructor(message: string, options: FailureOptions) {
    super(message, { cause: options.cause });
    this.reason = options.reason;
  }
}

/**
 * Some alerts of a batch were refused; those not named were accepted. Alerts that were refused together, because they
 * shared a request that was refused as a whole, have one and the same error: core finds out which of them is at fault.
 */
export class PartialError extends Error {
  override readonly name = 'PartialError';
  /** Position in the batch → what happened to it. */
  readonly failed: ReadonlyMap<number, RetriableError | PermanentError>;

  constructor(failed: ReadonlyMap<number, RetriableError | PermanentError>) {
    super(`${failed.size} alerts of the batch were refused`);
    this.failed = failed;
  }
}

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Dotted path of the key, `slack[1].webhookurl`; empty for the file as a whole. */
  path: string;
  /** What was found and what was expected; never holds a secret's value. */
  message: string;
  /** 1-based line in the file; absent when the value came from the environment. */
  line?: number;
  /** What to do, for example the nearest known key. */
  hint?: string;
  /** `error` refuses the configuration; `warning` is told and lived with. */
  severity: 'error' | 'warning';
}

/** The configuration cannot be used. Carries every problem, not the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  /** Files that were asked for, also those that are missing: a change to any of them may mend the configuration. */
  readonly files: readonly string[];

  constructor(problems: readonly ConfigProblem[], files: readonly string[] = []) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
    this.files = files;
  }
}

/** One line for a person: `line 12: slack.webhookurl: expected a URL (hint)`. */
export function formatProblem(problem: ConfigProblem): string {
  const place = [problem.line ? `line ${problem.line}` : '', problem.path].filter(Boolean).join(': ');
  return `${place ? `${place}: ` : ''}${problem.message}${problem.hint ? ` (${problem.hint})` : ''}`;
}
