/** Collects what is wrong with a configuration, so that all of it can be told at once. */
import { ConfigError, type ConfigProblem } from '../errors.ts';
import { type Origin, type Path, pathText } from './tree.ts';

export class Problems {
  readonly all: ConfigProblem[] = [];
  readonly #strict: boolean;
  readonly #told = new Set<string>();
  /** Paths of errors, and all that they are in. */
  readonly #refused = new Set<string>();

  /** @param strict makes what is usually lived with (unknown keys, unknown priorities) an error */
  constructor(strict: boolean) {
    this.#strict = strict;
  }

  error(path: Path, message: string, origin: Origin = {}, hint?: string): void {
    this.#add('error', path, message, origin, hint);
  }

  warning(path: Path, message: string, origin: Origin = {}, hint?: string): void {
    this.#add('warning', path, message, origin, hint);
  }

  /** A warning at run, an error for `tiercel validate`. */
  doubt(path: Path, message: string, origin: Origin = {}, hint?: string): void {
    this.#add(this.#strict ? 'error' : 'warning', path, message, origin, hint);
  }

  /** So many that nobody reads them all: no more effort is spent on each. */
  get many(): boolean {
    return this.all.length >= 200;
  }

  get failed(): boolean {
    return this.all.some(problem => problem.severity === 'error');
  }

  /** Whether what is at this path, or a part of it, has an error: what it was meant to be is not known then. */
  isRefused(path: Path): boolean {
    return this.#refused.has(pathText(path));
  }

  /**
   * The warnings, once it is known that nothing worse was found.
   * @throws ConfigError with every problem, in the order of the file, when there is an error
   */
  settle(redact: (text: string) => string, files: Iterable<string>): ConfigProblem[] {
    const clean = this.all.map(problem => ({
      ...problem,
      path: redact(problem.path),
      message: redact(problem.message),
      ...(problem.hint && { hint: redact(problem.hint) }),
    }));
    clean.sort((a, b) => (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER));
    if (this.failed) throw new ConfigError(clean, [...files]);
    return clean;
  }

  #add(
    severity: ConfigProblem['severity'],
    path: Path,
    message: string,
    origin: Origin,
    hint?: string,
  ): void {
    if (severity === 'error')
      for (let end = path.length; end > 0; end--) this.#refused.add(pathText(path.slice(0, end)));
    const problem = {
      path: pathText(path),
      message: origin.env ? `${message} (set by ${origin.env})` : message,
      ...(origin.line !== undefined && { line: origin.line }),
      ...(hint && { hint }),
      severity,
    };
    // What stands above several outputs is read for each.
    const told = JSON.stringify(problem);
    if (this.#told.has(told)) return;
    this.#told.add(told);
    this.all.push(problem);
  }
}
