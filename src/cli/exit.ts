/** Exit codes of the command line, as docs/cli.md lists them. */
export const EXIT = {
  ok: 0,
  /** The command ran and something it looked at is not as it should be. */
  failure: 1,
  /** The configuration or the command line cannot be used. */
  usage: 2,
  /** No daemon answers. */
  unreachable: 3,
} as const;

/** One of the documented exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a sentence for the person in front of it; never shown with a stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(exitCode: ExitCode, message: string, hint?: string) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}
