/** `toJson`: a template value as JSON text, so that a template can build a JSON body out of whatever an alert holds. */
import { Time } from './time-value.ts';
import { Dict, GoValue, Int, JsonNumber, List, type Value } from './value.ts';

/** Numbers digit for digit, words as texts, times in RFC 3339, maps in the order of their keys. */
export function toJson(value: Value): string {
  if (value instanceof GoValue) return structured(value);
  if (typeof value === 'bigint') return String(value);
  // NaN and the infinities come out as null, as from any other writer of JSON.
  return JSON.stringify(value ?? null);
}

function structured(value: GoValue): string {
  if (value instanceof JsonNumber) return value.source;
  if (value instanceof Int) return value.text() === undefined ? String(value.value) : quoted(value.text());
  if (value instanceof Time) return quoted(value.rfc3339());
  if (value instanceof List) {
    return `[${Array.from({ length: value.length }, (_, at) => toJson(value.at(at))).join(',')}]`;
  }
  if (value instanceof Dict) {
    return `{${value.keys.map(key => `${quoted(key)}:${toJson(value.get(key))}`).join(',')}}`;
  }
  // What is left is the alert, which prints as its JSON.
  return value.text() ?? 'null';
}

function quoted(text = ''): string {
  return JSON.stringify(text);
}
