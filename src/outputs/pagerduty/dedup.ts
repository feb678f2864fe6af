import { createHash } from 'node:crypto';
import { type JsonObject, toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';

/**
 * The key by which PagerDuty tells incidents apart: alerts with the same values of these fields share one; where all
 * values are empty, those of one rule, host and source do. Without fields there is none, as in falcosidekick.
 */
export function toDedupKey(alert: Alert, fields: readonly string[]): string | undefined {
  if (fields.length === 0) return undefined;
  const { uuid, rule, hostname, source, priority } = alert;
  const known: JsonObject = { ...alert.outputFields, uuid, rule, hostname, source, priority };
  const values = fields.map(field => (Object.hasOwn(known, field) ? toText(known[field]) : ''));
  const parts = values.some(Boolean) ? [fields, values] : [rule, hostname, source];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
