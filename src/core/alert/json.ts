/**
 * JSON with exact numbers. A number whose text does not survive a trip through a double (nanosecond clocks beyond
 * 2^53, `12.50`) is kept as the engine's own raw JSON value, which JSON.stringify writes back digit for digit.
 */

/** A number kept as its source text; made by `JSON.rawJSON`. */
export interface RawNumber {
  readonly rawJSON: string;
}

/** Any JSON value, numbers exact. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | RawNumber
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** An object of exact JSON values. */
export type JsonObject = { readonly [key: string]: JsonValue };

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;
interface ExactJson {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): boolean;
  parse(text: string, reviver?: Reviver): unknown;
}
const exact = JSON as unknown as ExactJson;

// Cheap test for "may hold a number that a double would change": 16 digits in a row, a fraction, an exponent, a
// negative zero. Digits inside strings also match; that only costs the slower parse.
const SUSPECT = /\d{16}|\d\.\d|\d[eE][+-]?\d|-0(?!\d)/;

const keepExact: Reviver = (_key, value, context) =>
  typeof value === 'number' && context.source !== undefined && String(value) !== context.source
    ? exact.rawJSON(context.source)
    : value;

/** Whether plain JSON.parse gives every number of this text unchanged. */
export function isPlainJson(text: string): boolean {
  return !SUSPECT.test(text);
}

/** Parses JSON without changing any number. Throws SyntaxError as JSON.parse does. */
export function parseExact(text: string): JsonValue {
  return exact.parse(text, SUSPECT.test(text) ? keepExact : undefined) as JsonValue;
}

/** Line ends to some readers, by which a command line could forge a record. JSON may hold them as they are. */
export const LINE_SEPARATOR = /[\u2028\u2029]/;

/** JSON text with those escaped, as Go writes it; they stand within strings only. */
export function escapeLineSeparators(json: string): string {
  return json.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** An escaped surrogate, alone or of a pair; few texts have one. */
const SURROGATE = /\\u[dD][89a-fA-F]/;
const ESCAPE = /\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)/g;
const LONE = /^\\u[dD][89a-fA-F]..$/;

/**
 * JSON text in which each half of a surrogate pair that stands alone is U+FFFD, as Go reads it. A half is no character,
 * and some of what is behind us refuses the text that holds one, as PostgreSQL does for `jsonb`.
 */
export function withoutLoneSurrogates(json: string): string {
  // Every alert comes by: the plain search takes a third of the time.
  if (!json.includes('\\u') || !SURROGATE.test(json)) return json;
  return json.replace(ESCAPE, found => (LONE.test(found) ? '\\ufffd' : found));
}

/** Whether a value is a number kept as its source text. */
export function isRawNumber(value: unknown): value is RawNumber {
  return exact.isRawJSON(value);
}

/** Makes an exact number from its JSON text. Throws SyntaxError when the text is not a JSON number. */
export function rawNumber(text: string): RawNumber {
  return exact.rawJSON(text);
}

/** Whether a value is a plain JSON object (not null, list or raw number). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

/** A value as text: strings as they are, numbers by their source digits, null as the empty text, the rest as JSON. */
export function toText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (isRawNumber(value)) return value.rawJSON;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Freezes a value and all that it holds; returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
