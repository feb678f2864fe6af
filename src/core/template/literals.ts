/** Go's literals: quoted texts, characters and numbers. */

/** A number as written in a template: what it is alone, and as an integer where a method wants one. */
export interface NumberLiteral {
  /** bigint for an int, number for a float64; absent when an integer is too big for an int. */
  value: bigint | number | undefined;
  /** The same number as an int64, if it is whole and fits. */
  int: bigint | undefined;
}

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

const ESCAPES: Record<string, number> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '\\': 0x5c,
};

/** Reads `"..."` or `` `...` `` with its quotes. Undefined when an escape is not Go's. */
export function unquote(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (literal[0] === '`') return body.replaceAll('\r', '');
  return body.includes('\\') ? unescapeText(body, '"') : body;
}

/** Reads `'x'` with its quotes: the code point, or undefined when it is not one character. */
export function unquoteCharacter(literal: string): number | undefined {
  const body = literal.slice(1, -1);
  if (body[0] === '\\') {
    const found = readEscape(body, 1, "'");
    return found && found.end === body.length ? found.code : undefined;
  }
  const [only, more] = body;
  return only !== undefined && more === undefined ? only.codePointAt(0) : undefined;
}

function unescapeText(body: string, quote: string): string | undefined {
  // Bytes, because \xNN and \NNN write single bytes of UTF-8.
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = body.indexOf('\\'); at >= 0; at = body.indexOf('\\', from)) {
    const found = readEscape(body, at + 1, quote);
    if (!found) return undefined;
    parts.push(Buffer.from(body.slice(from, at)));
    parts.push(found.byte ? Buffer.of(found.code) : Buffer.from(String.fromCodePoint(found.code)));
    from = found.end;
  }
  parts.push(Buffer.from(body.slice(from)));
  return Buffer.concat(parts).toString();
}

interface Escape {
  code: number;
  /** One byte rather than one character. */
  byte: boolean;
  end: number;
}

const HEX_DIGITS: Record<string, number> = { x: 2, u: 4, U: 8 };

/** Reads what stands behind a backslash. */
function readEscape(text: string, at: number, quote: string): Escape | undefined {
  const char = text[at] ?? '';
  if (char === quote) return { code: char.charCodeAt(0), byte: false, end: at + 1 };
  const simple = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined;
  if (simple !== undefined) return { code: simple, byte: false, end: at + 1 };
  const hexLength = Object.hasOwn(HEX_DIGITS, char) ? HEX_DIGITS[char] : undefined;
  const digits = hexLength ? text.slice(at + 1, at + 1 + hexLength) : text.slice(at, at + 3);
  if (hexLength ? !/^[\da-fA-F]+$/.test(digits) : !/^[0-7]+$/.test(digits)) return undefined;
  if (digits.length !== (hexLength ?? 3)) return undefined;
  const code = Number.parseInt(digits, hexLength ? 16 : 8);
  const byte = char !== 'u' && char !== 'U';
  if (byte ? code > 0xff : code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return { code, byte, end: at + digits.length + (hexLength ? 1 : 0) };
}

/** Reads a number token; undefined when it is none. Complex numbers are not supported. */
export function parseNumber(text: string): NumberLiteral | undefined {
  const whole = parseInteger(text);
  if (whole !== undefined) {
    if (whole >= MIN_INT64 && whole <= MAX_INT64) return { value: whole, int: whole };
    return whole <= MAX_UINT64 && /^\d/.test(text) ? { value: undefined, int: undefined } : undefined;
  }
  const float = parseFloat64(text);
  if (float === undefined) return undefined;
  const fits = Number.isInteger(float) && float >= -(2 ** 63) && float < 2 ** 63;
  return { value: float, int: fits ? BigInt(float) : undefined };
}

const INTEGER = /^([+-]?)(0[xX]_?[\da-fA-F]|0[oO]_?[0-7]|0[bB]_?[01]|0_?[0-7]|\d)(_?[\da-fA-F])*$/;

function parseInteger(text: string): bigint | undefined {
  if (!INTEGER.test(text)) return undefined;
  const negative = text[0] === '-';
  let digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  // Go's old octal form, 017.
  if (/^0\d/.test(digits)) digits = `0o${digits.slice(1)}`;
  try {
    return negative ? -BigInt(digits) : BigInt(digits);
  } catch {
    return undefined;
  }
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([\da-fA-F]*)\.?([\da-fA-F]*)[pP]([+-]?\d+)$/;

// An underscore stands between two digits, or behind 0x.
const MISPLACED = /_(?!\d)|(?<!\d)_/;
const MISPLACED_IN_HEX = /_(?![\da-fA-F])|(?<![\da-fA-FxX])_/;

function parseFloat64(source: string): number | undefined {
  // A plain run of digits that is no integer above is too big or not octal.
  if (!/[.eEpP]/.test(source)) return undefined;
  if ((/[xX]/.test(source) ? MISPLACED_IN_HEX : MISPLACED).test(source)) return undefined;
  const text = source.replaceAll('_', '');
  const hex = HEXADECIMAL.exec(text);
  let value = Number.NaN;
  if (hex) {
    const [, sign, whole = '', fraction = '', exponent] = hex;
    if (whole + fraction === '') return undefined;
    value = Number(BigInt(`0x${whole}${fraction}`)) * 2 ** (Number(exponent) - 4 * fraction.length);
    if (sign === '-') value = -value;
  } else if (DECIMAL.test(text)) value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
