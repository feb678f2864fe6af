/** The documents that Elasticsearch gets, and where they go. Pure. */

import { type JsonObject, type JsonValue, parseExact } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';
import { legalNames } from '../_kit/names.ts';

/** How often a new index begins. */
export const SUFFIXES = ['none', 'daily', 'monthly', 'annually'] as const;
export type Suffix = (typeof SUFFIXES)[number];

/** The index of this day, month or year in the machine's time zone, as in falcosidekick: `falco-2026.01.31`. */
export function indexName(index: string, suffix: Suffix, now: number): string {
  if (suffix === 'none') return index;
  const date = new Date(now);
  const two = (number: number) => String(number).padStart(2, '0');
  const parts = [String(date.getFullYear()), two(date.getMonth() + 1), two(date.getDate())];
  const count = { daily: 3, monthly: 2, annually: 1 }[suffix];
  return `${index}-${parts.slice(0, count).join('.')}`;
}

/** How a document differs from the alert. */
export interface Shape {
  /** `_` for dots in the names of output fields. */
  flatten: boolean;
  /** Output fields left out, by the names that they have in the document. */
  without: ReadonlySet<string>;
}

/** The alert as JSON with `@timestamp`; the user's own document as it is. */
export function toDocument(alert: Alert, shape: Shape): string {
  const { json, time } = alert;
  if (alert.templated) return json;
  if (!shape.flatten && shape.without.size === 0 && !json.includes('"@timestamp"')) {
    return `${json.slice(0, -1)},"@timestamp":${JSON.stringify(time)}}`;
  }
  const entries = documentFields(alert, shape.flatten).filter(([name]) => !shape.without.has(name));
  return JSON.stringify({
    ...(parseExact(json) as JsonObject),
    output_fields: Object.fromEntries(entries),
    '@timestamp': time,
  });
}

/** The output fields by the names that they have in the document. */
function documentFields({ outputFields }: Alert, flatten: boolean): [name: string, value: JsonValue][] {
  if (!flatten) return Object.entries(outputFields);
  // `a.b` and `a_b` in one alert must not become one field.
  const names = legalNames(Object.keys(outputFields), field => field.replaceAll('.', '_'));
  return Object.entries(outputFields).map(([field, value]) => [names.get(field)!, value]);
}

/**
 * The output fields, by their names in the document, that a refusal blames: the server's index has another type for
 * them. Empty when it blames something else.
 * @param reason for example `failed to parse field [output_fields.evt.arg] of type [long]`
 */
export function blamedFields(reason: string, alert: Alert, flatten: boolean): string[] {
  const names = documentFields(alert, flatten).map(([name]) => name);
  const named = names.filter(name => reason.includes(`[output_fields.${name}]`));
  if (named.length > 0) return named;
  const path = /\[output_fields\.([^\]]+)/.exec(reason)?.[1];
  if (path === undefined) return [];
  // The server takes dots for levels: it blames what is above or within a field as well.
  return names.filter(name => name.startsWith(`${path}.`) || path.startsWith(`${name}.`));
}
