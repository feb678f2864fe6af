/** What comes from outside of the file: the environment and secret files. */
import { fileTrouble } from '../file-trouble.ts';
import type { Problems } from './problems.ts';
import type { Origin, Path } from './tree.ts';

export type Environment = Record<string, string | undefined>;

/** Reads a text file; throws what node:fs throws. */
export type ReadFile = (path: string) => string;

/** The effects of loading a configuration, and a record of what was touched. */
export class Sources {
  readonly env: Environment;
  /** Every file that was asked for, read or not: a change to any of them may change the configuration. */
  readonly files = new Set<string>();
  readonly #readFile: ReadFile;

  constructor(env: Environment, readFile: ReadFile) {
    // Without a prototype: `${env:toString}` is a variable like any other.
    this.env = Object.assign(Object.create(null), env);
    this.#readFile = readFile;
  }

  /** The text of a file; undefined, with a problem, when it cannot be read. */
  read(file: string, path: Path, origin: Origin, problems: Problems): string | undefined {
    this.files.add(file);
    try {
      return this.#readFile(file);
    } catch (error) {
      const why = fileTrouble(error);
      problems.error(path, `cannot read ${file}${why ? `: ${why}` : ''}`, origin);
      return undefined;
    }
  }

  /** The text of a file that need not be there. */
  readIfThere(file: string): string | undefined {
    this.files.add(file);
    try {
      return this.#readFile(file);
    } catch {
      return undefined;
    }
  }

  /**
   * Like read, for a secret: without the one new line that editors and `echo` leave at the end. An empty one is a problem:
   * whoever is just writing it does not mean to turn off what it is for.
   */
  readSecret(file: string, path: Path, origin: Origin, problems: Problems): string | undefined {
    const text = this.read(file, path, origin, problems)?.replace(/\r?\n$/, '');
    if (text === '') problems.error(path, `${file} is empty`, origin);
    return text;
  }
}
