import { outputField } from '../../core/alert/alert.ts';
import { toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';

/** A record on its way; `partition` is set before the first try and kept by later ones of the same batch. */
export interface Outgoing {
  key: Buffer | null;
  value: Buffer;
  partition?: number;
}

const OWN = ['uuid', 'rule', 'priority', 'source', 'hostname'] as const;

/** The alert as a Kafka record: its JSON, and as key one of its own values, one of its output fields, or nothing. */
export function toRecord(alert: Alert, key: string): Outgoing {
  if (key === '') return { key: null, value: alert.bytes };
  const own = OWN.find(name => name === key);
  const text = own ? alert[own] : toText(outputField(alert, key));
  return { key: text === '' ? null : Buffer.from(text), value: alert.bytes };
}
