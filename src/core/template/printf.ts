/** Go's fmt.Sprintf, Sprint and Sprintln. */
import type { Budget } from './limits.ts';
import { type Flags, NO_FLAGS, Printer } from './printer.ts';
import { asInt, kindOf, typeOf, type Value } from './value.ts';

// fmt's own bound for a width or precision.
const MAX_SIZE = 1_000_000;

/** Values one behind the other, with a space where neither neighbour is a text. */
export function sprint(values: readonly Value[], budget: Budget): string {
  const printer = new Printer(budget);
  let afterText = true;
  for (const value of values) {
    const isText = kindOf(value) === 'string';
    if (!isText && !afterText) printer.write(' ');
    printer.print(value);
    afterText = isText;
  }
  return printer.text;
}

/** Values with a space between all of them and a line end. */
export function sprintln(values: readonly Value[], budget: Budget): string {
  const printer = new Printer(budget);
  for (const [i, value] of values.entries()) {
    if (i > 0) printer.write(' ');
    printer.print(value);
  }
  printer.write('\n');
  return printer.text;
}

/** Values by the verbs of a format. Mistakes in the format are reported in the text, as Go does: `%!d(string=x)`. */
export function sprintf(format: string, values: readonly Value[], budget: Budget): string {
  return new Formatting(format, values, budget).run();
}

class Formatting {
  readonly #format: string;
  readonly #values: readonly Value[];
  readonly #printer: Printer;
  #pos = 0;
  #next = 0;
  /** Some `[n]` was used, so values left over are no mistake. */
  #reordered = false;
  /** The current verb's `[n]` is usable. */
  #goodIndex = true;

  constructor(format: string, values: readonly Value[], budget: Budget) {
    this.#format = format;
    this.#values = values;
    this.#printer = new Printer(budget);
  }

  run(): string {
    for (;;) {
      const percent = this.#format.indexOf('%', this.#pos);
      this.#printer.write(this.#format.slice(this.#pos, percent < 0 ? undefined : percent));
      if (percent < 0) break;
      this.#pos = percent + 1;
      this.#directive();
    }
    this.#reportExtra();
    return this.#printer.text;
  }

  #directive(): void {
    const flags: Flags = { ...NO_FLAGS };
    this.#goodIndex = true;
    this.#readFlags(flags);
    let afterIndex = this.#readIndex();
    afterIndex = this.#readWidth(flags, afterIndex);
    if (this.#char === '.' && this.#pos + 1 < this.#format.length) {
      afterIndex = this.#readPrecision(flags, afterIndex);
    }
    if (!afterIndex) this.#readIndex();
    const code = this.#format.codePointAt(this.#pos);
    if (code === undefined) {
      this.#printer.write('%!(NOVERB)');
      return;
    }
    const verb = String.fromCodePoint(code);
    this.#pos += verb.length;
    if (verb === '%') this.#printer.write('%');
    else if (!this.#goodIndex) this.#printer.write(`%!${verb}(BADINDEX)`);
    else if (this.#next >= this.#values.length) this.#printer.write(`%!${verb}(MISSING)`);
    else {
      this.#printer.flags = flags;
      this.#printer.print(this.#values[this.#next++], verb);
    }
  }

  get #char(): string | undefined {
    return this.#format[this.#pos];
  }

  #readFlags(flags: Flags): void {
    for (; ; this.#pos++) {
      switch (this.#char) {
        case '#':
          flags.sharp = true;
          break;
        case '0':
          flags.zero = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '-':
          flags.minus = true;
          break;
        case ' ':
          flags.space = true;
          break;
        default:
          return;
      }
    }
  }

  #readWidth(flags: Flags, afterIndex: boolean): boolean {
    if (this.#char !== '*') {
      flags.width = this.#readNumber();
      if (afterIndex && flags.width !== undefined) this.#goodIndex = false;
      return afterIndex;
    }
    this.#pos++;
    const width = this.#sizeFromValue();
    if (width === undefined) this.#printer.write('%!(BADWIDTH)');
    else if (width < 0) {
      flags.minus = true;
      flags.zero = false;
    }
    flags.width = width && Math.abs(width);
    return false;
  }

  #readPrecision(flags: Flags, afterIndex: boolean): boolean {
    this.#pos++;
    if (afterIndex) this.#goodIndex = false;
    const indexed = this.#readIndex();
    if (this.#char !== '*') {
      flags.precision = this.#readNumber() ?? 0;
      return indexed;
    }
    this.#pos++;
    const precision = this.#sizeFromValue();
    if (precision === undefined || precision < 0) this.#printer.write('%!(BADPREC)');
    else flags.precision = precision;
    return false;
  }

  /** Takes `[n]`, which names the value that comes next. */
  #readIndex(): boolean {
    if (this.#char !== '[') return false;
    this.#reordered = true;
    const end = this.#format.indexOf(']', this.#pos);
    const index = end < 0 ? '' : this.#format.slice(this.#pos + 1, end);
    this.#pos = end < 0 ? this.#pos + 1 : end + 1;
    const isNumber = /^\d{1,7}$/.test(index);
    if (isNumber && Number(index) >= 1 && Number(index) <= this.#values.length) {
      this.#next = Number(index) - 1;
      return true;
    }
    this.#goodIndex = false;
    return isNumber;
  }

  #readNumber(): number | undefined {
    const start = this.#pos;
    while (this.#char !== undefined && this.#char >= '0' && this.#char <= '9') this.#pos++;
    const digits = this.#format.slice(start, this.#pos);
    return digits === '' ? undefined : Math.min(Number(digits), MAX_SIZE);
  }

  #sizeFromValue(): number | undefined {
    if (this.#next >= this.#values.length) return undefined;
    const size = asInt(this.#values[this.#next++]);
    return size === undefined || size > MAX_SIZE || size < -MAX_SIZE ? undefined : Number(size);
  }

  #reportExtra(): void {
    if (this.#reordered || this.#next >= this.#values.length) return;
    this.#printer.flags = NO_FLAGS;
    this.#printer.write('%!(EXTRA ');
    for (const [i, value] of this.#values.slice(this.#next).entries()) {
      if (i > 0) this.#printer.write(', ');
      if (value !== undefined && value !== null) this.#printer.write(`${typeOf(value)}=`);
      this.#printer.print(value);
    }
    this.#printer.write(')');
  }
}
