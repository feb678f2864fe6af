/** Bounds on what one rendering may cost: the template is the operator's, the data may be an attacker's. */
import { Fault } from './errors.ts';

/** Steps of one rendering: commands, loop turns, and the text that they read or make. */
export const MAX_STEPS = 100_000;
/** Longest text, in UTF-16 units: the output, and any text that a function makes on the way. */
export const MAX_TEXT = 256 * 1024;
/** Nesting of blocks, parentheses and `template` calls at run time. */
export const MAX_DEPTH = 300;
/** Nesting of blocks and parentheses in the text of a template. */
export const MAX_NESTING = 100;

/** What is left to spend of one rendering. */
export class Budget {
  #steps = MAX_STEPS;

  /** @throws Fault when the steps are used up */
  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new Fault(`more than ${MAX_STEPS} steps`);
  }

  /** Pays for text that is only read. */
  read(text: string): void {
    this.spend(text.length >> 10);
  }

  /** Pays for text that was made, and returns it. */
  made(text: string): string {
    this.checkLength(text.length);
    this.spend(text.length >> 6);
    return text;
  }

  /** @throws Fault when a text of this length is too long */
  checkLength(length: number): void {
    if (length > MAX_TEXT) throw new Fault(`text longer than ${MAX_TEXT} characters`);
  }
}
