import type { Alert } from '../../core/contract.ts';
import { toText } from '../../core/json.ts';
import type { Outgoing } from './session.ts';

const OWN = ['uuid', 'rule', 'priority', 'source', 'hostname'] as const;

/** The alert as a Kafka record: its JSON, and as key one of its own values, one of its output fields, or nothing. */
export function toRecord(alert: Alert, key: string): Outgoing {
  const own = OWN.find(name => name === key);
  const field = Object.hasOwn(alert.outputFields, key) ? alert.outputFields[key] : undefined;
  const text = own ? alert[own] : toText(field);
  return { key: text === '' ? null : Buffer.from(text), value: alert.bytes };
}
