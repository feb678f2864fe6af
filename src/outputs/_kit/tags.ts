/** Alerts for targets that know names with a text each: tags, labels, details. Pure. */
import type { Alert } from '../../core/contract.ts';
import { textFields } from './fields.ts';
import { legalNames } from './names.ts';

export type Tag = [name: string, value: string];

/**
 * The alert's own parts as given, then its text fields under names that the target takes and that are not among those
 * of the parts.
 * @param toLegal see `legalNames`
 * @param taken more names that no field may have
 */
export function toTags(
  alert: Alert,
  parts: readonly Tag[],
  toLegal: (field: string) => string,
  taken: readonly string[] = [],
): Tag[] {
  const fields = textFields(alert);
  const names = legalNames(
    fields.map(({ title }) => title),
    toLegal,
    [...parts.map(([name]) => name), ...taken],
  );
  return [...parts, ...fields.map(({ title, value }): Tag => [names.get(title)!, value])];
}
