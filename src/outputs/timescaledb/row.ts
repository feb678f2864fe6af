/** What of an alert goes into which column. Pure. */

import { type JsonValue, toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';

/** Column as the configuration or falcosidekick names it → its value as text; null for NULL. */
export type Row = ReadonlyMap<string, string | null>;

/** What the table is known to have: the names of its columns and their types, `uuid`, `text`, `jsonb`. */
export type Columns = ReadonlyMap<string, string>;

/** Columns that falcosidekick does not know: filled where the table has them and a custom field does not. */
const EXTRAS: Record<string, { types: readonly string[]; value(alert: Alert): string }> = {
  uuid: { types: ['uuid', 'text', 'varchar', 'bpchar'], value: alert => alert.uuid },
  output_fields: {
    types: ['jsonb', 'json', 'text'],
    value: alert => toJson(alert.outputFields),
  },
};

/**
 * The columns that falcosidekick fills: tags and hostname only where the alert has them, and the custom and templated
 * fields that it has. The text NULL, in any case, stands for NULL.
 */
export function toRow(alert: Alert, customFields: readonly string[], columns: Columns): Row {
  const row = new Map<string, string | null>();
  for (const [name, { types, value }] of Object.entries(EXTRAS)) {
    if (types.includes(columns.get(name) ?? '')) row.set(name, value(alert));
  }
  row.set('time', toMicroseconds(alert.time));
  row.set('rule', toValue(alert.rule));
  row.set('priority', alert.priority);
  row.set('source', toValue(alert.source));
  row.set('output', toValue(alert.output));
  if (alert.tags.length > 0) row.set('tags', toValue(alert.tags.join(',')));
  if (alert.hostname !== '') row.set('hostname', toValue(alert.hostname));
  for (const field of customFields) {
    if (!Object.hasOwn(alert.outputFields, field)) continue;
    const value = toText(alert.outputFields[field]);
    // falcosidekick takes the quotes out of these, and existing queries may count on it.
    row.set(toColumn(field, columns), toValue(value.replaceAll('"', ''), alert.outputFields[field]));
  }
  return row;
}

/** Whether an alert that comes twice is recognised by the table, as far as its key says so. */
export function hasUuid(columns: Columns): boolean {
  return EXTRAS.uuid!.types.includes(columns.get('uuid') ?? '');
}

/**
 * The column of a field. falcosidekick writes names without quotes, so PostgreSQL folds them to lower case: `Team` means
 * the column team. Only a table that has no such column, but one of the exact name, is meant by the letter.
 */
export function toColumn(field: string, columns: Columns): string {
  const folded = foldCase(field);
  return columns.has(field) && !columns.has(folded) ? field : folded;
}

/** As PostgreSQL does with a name that is not quoted: ASCII letters only. */
export function foldCase(name: string): string {
  return name.replace(/[A-Z]+/g, letters => letters.toLowerCase());
}

function toValue(text: string, from?: JsonValue): string | null {
  return from === null || /^null$/i.test(text) ? null : withoutNul(text);
}

/** PostgreSQL has no NUL character in its texts. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '');
}

/** jsonb refuses an escaped NUL, and the escaped half of a character. */
function toJson(fields: Alert['outputFields']): string {
  return JSON.stringify(fields, (_name, value: unknown) =>
    typeof value === 'string' ? withoutNul(value).toWellFormed() : value,
  );
}

/** PostgreSQL counts microseconds, and would round. */
function toMicroseconds(time: string): string {
  return time.replace(/(\.\d{6})\d+/, '$1');
}
