/** Prints values as Go's fmt package does: one value by one verb, with flags, width and precision. */
import { formatFloat } from './float.ts';
import type { Budget } from './limits.ts';
import { isPrintable, quote, quoteCharacter, quoteRaw } from './quote.ts';
import { type Dict, GoValue, Int, JsonNumber, kindOf, type List, typeOf, type Value } from './value.ts';

/** What stands between `%` and the verb. */
export interface Flags {
  width: number | undefined;
  precision: number | undefined;
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
}

export const NO_FLAGS: Readonly<Flags> = Object.freeze({
  width: undefined,
  precision: undefined,
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
});

const NIL = '<nil>';

/** Collects printed text within a budget. */
export class Printer {
  flags: Readonly<Flags> = NO_FLAGS;
  readonly #budget: Budget;
  #text = '';
  /** `%#v`: print as Go source. */
  #asSource = false;
  /** Inside the report of a wrong verb, where no String method is asked. */
  #reporting = false;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** All that was printed. */
  get text(): string {
    return this.#budget.made(this.#text);
  }

  write(text: string): void {
    this.#budget.checkLength(this.#text.length + text.length);
    this.#text += text;
  }

  /** Prints one value by a verb, `v` unless told. */
  print(value: Value, verb = 'v'): void {
    this.#asSource = verb === 'v' && this.flags.sharp;
    if (verb === 'v' || verb === 'w') {
      this.flags = { ...this.flags, sharp: false, plus: false };
    }
    if (verb === 'T') this.#padded(value === undefined || value === null ? NIL : this.#cut(typeOf(value)));
    else if (verb === 'w' || (verb !== 'v' && (value === undefined || value === null))) {
      this.#wrongVerb(value, verb);
    } else if (value === undefined || value === null) this.#padded(NIL);
    else this.#value(value, verb);
  }

  #value(value: Value, verb: string): void {
    if (value instanceof GoValue && !this.#reporting) {
      const own = this.#asSource || !'vsxXq'.includes(verb) ? undefined : value.text();
      if (own !== undefined) {
        this.#string(own, value, verb);
        return;
      }
    }
    switch (kindOf(value)) {
      case 'invalid':
        this.write(this.#asSource ? 'interface {}(nil)' : NIL);
        return;
      case 'bool':
        if (verb === 'v' || verb === 't') this.#padded(String(value));
        else this.#wrongVerb(value, verb);
        return;
      case 'int':
      case 'uint':
        this.#integer(value instanceof Int ? value.value : (value as bigint), value, verb);
        return;
      case 'float':
        this.#float(value as number, verb);
        return;
      case 'string':
        this.#string(value instanceof JsonNumber ? value.source : (value as string), value, verb);
        return;
      case 'list':
        this.#list(value as List, verb);
        return;
      case 'map':
        this.#map(value as Dict, verb);
        return;
      case 'struct':
        if (this.#reporting || this.#asSource) this.write((value as GoValue).text() ?? '');
        else this.#wrongVerb(value, verb);
    }
  }

  #list(list: List, verb: string): void {
    this.write(this.#asSource ? `${list.type}{` : '[');
    for (let i = 0; i < list.length; i++) {
      if (i > 0) this.write(this.#asSource ? ', ' : ' ');
      this.#value(list.at(i), verb);
    }
    this.write(this.#asSource ? '}' : ']');
  }

  #map(map: Dict, verb: string): void {
    this.#budget.spend(map.keys.length >> 4);
    this.write(this.#asSource ? `${map.type}{` : 'map[');
    for (const [i, key] of map.keys.entries()) {
      if (i > 0) this.write(this.#asSource ? ', ' : ' ');
      this.#value(key, verb);
      this.write(':');
      this.#value(map.get(key), verb);
    }
    this.write(this.#asSource ? '}' : ']');
  }

  /** `%!d(string=hi)`, as Go reports a verb that does not fit. */
  #wrongVerb(value: Value, verb: string): void {
    this.write(`%!${verb}(`);
    if (value === undefined || value === null) this.write(NIL);
    else {
      this.write(`${typeOf(value)}=`);
      this.#reporting = true;
      this.#value(value, 'v');
      this.#reporting = false;
    }
    this.write(')');
  }

  #string(text: string, value: Value, verb: string): void {
    switch (verb) {
      case 'v':
        this.#padded(this.#asSource ? quote(this.#cut(text), this.flags.plus) : this.#cut(text));
        return;
      case 's':
        this.#padded(this.#cut(text));
        return;
      case 'q': {
        const { sharp, plus } = this.flags;
        this.#padded(sharp ? quoteRaw(this.#cut(text), plus) : quote(this.#cut(text), plus));
        return;
      }
      case 'x':
      case 'X':
        this.#hex(text, verb);
        return;
      default:
        this.#wrongVerb(value, verb);
    }
  }

  #hex(text: string, verb: string): void {
    const { precision, space, sharp } = this.flags;
    this.#budget.checkLength(text.length);
    const bytes = Buffer.from(text);
    const digits = bytes.subarray(0, precision ?? bytes.length).toString('hex');
    const prefix = sharp && digits ? '0x' : '';
    const spaced = space ? digits.replace(/(..)(?=.)/g, `$1 ${prefix}`) : digits;
    this.#padded(verb === 'X' ? (prefix + spaced).toUpperCase() : prefix + spaced);
  }

  #integer(number: bigint, value: Value, verb: string): void {
    switch (verb) {
      case 'v':
        if (this.#asSource && kindOf(value) === 'uint') this.#digits(number, 16, 'v', '0x');
        else this.#digits(number, 10, verb, '');
        return;
      case 'd':
        this.#digits(number, 10, verb, '');
        return;
      case 'b':
        this.#digits(number, 2, verb, this.flags.sharp ? '0b' : '');
        return;
      case 'o':
      case 'O':
        this.#digits(number, 8, verb, verb === 'O' ? '0o' : '');
        return;
      case 'x':
      case 'X':
        this.#digits(number, 16, verb, this.flags.sharp ? `0${verb}` : '');
        return;
      case 'c':
        this.#padded(String.fromCodePoint(codePoint(number)).toWellFormed());
        return;
      case 'q':
        this.#padded(quoteCharacter(codePoint(number), this.flags.plus));
        return;
      case 'U':
        this.#unicode(BigInt.asUintN(64, number));
        return;
      default:
        this.#wrongVerb(value, verb);
    }
  }

  #digits(number: bigint, base: number, verb: string, prefix: string): void {
    const { width = 0, precision, minus, plus, space, zero, sharp } = this.flags;
    const size = number < 0n ? -number : number;
    if (precision === 0 && size === 0n) {
      this.#padded('', false);
      return;
    }
    const sign = number < 0n ? '-' : plus ? '+' : space ? ' ' : '';
    const wanted = precision ?? (zero && !minus ? width - sign.length : 0);
    this.#budget.checkLength(wanted);
    let digits = size.toString(base).padStart(wanted, '0');
    if (sharp && base === 8 && !digits.startsWith('0')) digits = `0${digits}`;
    this.#padded(sign + prefix + (verb === 'X' ? digits.toUpperCase() : digits), false);
  }

  #unicode(number: bigint): void {
    const wanted = Math.max(this.flags.precision ?? 4, 4);
    this.#budget.checkLength(wanted);
    const shown = this.flags.sharp && number <= 0x10ffffn && isPrintable(Number(number));
    const char = shown ? ` '${String.fromCodePoint(Number(number))}'` : '';
    this.#padded(`U+${number.toString(16).toUpperCase().padStart(wanted, '0')}${char}`, false);
  }

  #float(number: number, verb: string): void {
    const { width = 0, precision, minus, plus, space, zero } = this.flags;
    const form = verb === 'v' ? 'g' : verb === 'F' ? 'f' : verb;
    if (!'eEfgG'.includes(form)) {
      this.#wrongVerb(number, verb);
      return;
    }
    this.#budget.checkLength(precision ?? 0);
    let digits = formatFloat(number, form, precision ?? (form.toLowerCase() === 'g' ? undefined : 6));
    const sign = digits[0] === '-' ? '-' : plus ? '+' : space ? ' ' : '';
    digits = digits.replace(/^[+-]/, '');
    const finite = Number.isFinite(number);
    if (finite && zero && !minus) digits = digits.padStart(this.#checked(width) - sign.length, '0');
    this.#padded(sign + digits, finite);
  }

  /** Cuts a text to the precision, counted in characters. */
  #cut(text: string): string {
    const { precision } = this.flags;
    if (precision === undefined || text.length <= precision) return text;
    let end = 0;
    for (let count = 0; count < precision && end < text.length; count++) {
      end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
    }
    return text.slice(0, end);
  }

  #padded(text: string, mayZero = true): void {
    const { width, minus, zero } = this.flags;
    const missing = width === undefined ? 0 : this.#checked(width) - countCharacters(text, width);
    if (missing <= 0) this.write(text);
    else if (minus) this.write(text + ' '.repeat(missing));
    else this.write((zero && mayZero ? '0' : ' ').repeat(missing) + text);
  }

  #checked(width: number): number {
    this.#budget.checkLength(width);
    return width;
  }
}

function codePoint(number: bigint): number {
  return number >= 0n && number <= 0x10ffffn ? Number(number) : 0xfffd;
}

/** The number of characters of a text, or any number beyond `enough`. */
function countCharacters(text: string, enough: number): number {
  if (text.length > 2 * enough) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}
