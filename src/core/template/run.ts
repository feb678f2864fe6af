/** The state of one rendering. */
import { Fault } from './errors.ts';
import { Budget, MAX_DEPTH } from './limits.ts';
import { Printer } from './printer.ts';
import { JsonNumber, type Value } from './value.ts';

/** A compiled list of nodes. Tells how it ended. */
export type Body = (run: Run, dot: Value) => Flow;

/** `next` goes on; the others leave the body of a loop. */
export type Flow = 'next' | 'break' | 'continue';

/** Compiled named templates. */
export type Templates = ReadonlyMap<string, Body>;

export class Run {
  readonly budget = new Budget();
  readonly templates: Templates;
  /** Line of the action at work, for errors. */
  line = 1;
  #output = '';
  #depth = 0;
  // A stack, innermost last: a variable shadows outer ones of its name.
  #names: string[] = [];
  #values: Value[] = [];

  constructor(templates: Templates, root: Value) {
    this.templates = templates;
    this.declare('$', root);
  }

  get output(): string {
    return this.#output;
  }

  write(text: string): void {
    this.budget.checkLength(this.#output.length + text.length);
    this.#output += text;
  }

  /** Prints the result of an action. */
  print(value: Value): void {
    if (value === undefined || value === null) this.write('<no value>');
    else if (typeof value === 'string') this.write(value);
    else if (value instanceof JsonNumber) this.write(value.source);
    else {
      const printer = new Printer(this.budget);
      printer.print(value);
      this.write(printer.text);
    }
  }

  /** Runs something one level deeper. */
  nested<T>(body: (run: Run, dot: Value) => T, dot: Value): T {
    if (++this.#depth > MAX_DEPTH) throw new Fault(`nested deeper than ${MAX_DEPTH} levels`);
    const result = body(this, dot);
    this.#depth--;
    return result;
  }

  /** Runs a named template, which sees no variable but its own `$`. */
  call(name: string, dot: Value): void {
    const body = this.templates.get(name);
    if (!body) throw new Fault(`template "${name}" is not defined`);
    const [names, values] = [this.#names, this.#values];
    this.#names = ['$'];
    this.#values = [dot];
    this.nested(body, dot);
    this.#names = names;
    this.#values = values;
  }

  /** The height of the variable stack, to come back to. */
  get mark(): number {
    return this.#names.length;
  }

  declare(name: string, value: Value): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  forget(mark: number): void {
    this.#names.length = mark;
    this.#values.length = mark;
  }

  variable(name: string): Value {
    return this.#values[this.#slot(name)];
  }

  assign(name: string, value: Value): void {
    this.#values[this.#slot(name)] = value;
  }

  /** Sets the variable that many places below the top; 1 is the top. */
  setFromTop(places: number, value: Value): void {
    this.#values[this.#values.length - places] = value;
  }

  #slot(name: string): number {
    const slot = this.#names.lastIndexOf(name);
    if (slot < 0) throw new Fault(`variable "${name}" is not defined`);
    return slot;
  }
}
