/** An alert as a Security Finding of OCSF 0.1.0 (schema.ocsf.io), with falcosidekick's choice of attributes. Pure. */

import { isRawNumber, type JsonValue, rawNumber, toText } from '../../core/alert/json.ts';
import type { Alert, Priority } from '../../core/contract.ts';
import { formatFloat } from '../../core/template/float.ts';
import { byCodeUnit } from '../_kit/text.ts';
import { toMillis } from '../_kit/times.ts';

/** Something observed: the host, or an output field. */
interface Observable {
  name: string;
  type: string;
  type_id: number;
  value: string;
}

/** One row; whole numbers of 64 bits are bigints. */
export type Finding = ReturnType<typeof toFinding>;

/** OCSF's severities: schema.ocsf.io/objects/base_event. */
const SEVERITIES: Record<Priority, readonly [id: number, name: string]> = {
  Debug: [1, 'Informational'],
  Informational: [1, 'Informational'],
  Notice: [2, 'Low'],
  Warning: [3, 'Medium'],
  Error: [4, 'High'],
  Critical: [5, 'Critical'],
  Alert: [6, 'Fatal'],
  Emergency: [6, 'Fatal'],
};

/** @param exact numbers go digit for digit, not as the doubles that falcosidekick makes of them */
export function toFinding(alert: Alert, exact: boolean) {
  const { uuid, output, priority, rule, source, tags, json } = alert;
  const [severityId, severity] = SEVERITIES[priority];
  const time = BigInt(toMillis(alert));
  return {
    activity_id: 1,
    activity_name: 'Generate',
    category_name: 'Findings',
    category_uid: 2,
    classname: 'Security Finding',
    class_uid: 2001,
    finding: { created_time: time, desc: output, title: rule, types: [source], uid: uuid },
    message: rule,
    metadata: {
      version: '0.1.0',
      product: { vendor_name: 'Falcosecurity', name: 'Falco' },
      labels: [...tags],
    },
    observables: toObservables(alert, exact),
    raw_data: exact ? json : roundNumbers(json),
    severity,
    severity_id: severityId,
    state: 'New',
    state_id: 1,
    status: priority,
    time,
    type_name: 'Security Finding: Generate',
    type_uid: 200101,
  };
}

/** The day of an alert in UTC, `20260131`, which decides on its partition. */
export function eventDay(alert: Alert): string {
  return new Date(toMillis(alert)).toISOString().slice(0, 10).replaceAll('-', '');
}

/** The host, and the output fields that are texts or numbers. */
function toObservables({ hostname, outputFields }: Alert, exact: boolean): Observable[] {
  const fields = Object.entries(outputFields).sort(([a], [b]) => byCodeUnit(a, b));
  const named = hostname === '' ? fields : [['hostname', hostname] as const, ...fields];
  return named.flatMap(([name, value]) => {
    const text = toValue(value, exact);
    return text === undefined ? [] : [{ name, type: 'Other', type_id: 0, value: text }];
  });
}

function toValue(value: JsonValue, exact: boolean): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number' && !isRawNumber(value)) return undefined;
  const digits = toText(value);
  const double = Number(digits);
  return exact || !Number.isFinite(double) ? digits : formatFloat(double, 'g', undefined);
}

/** The same JSON with numbers as doubles; those that no double holds stay as they are. */
function roundNumbers(json: string): string {
  type Reviver = (key: string, value: unknown, context: { source: string }) => unknown;
  const keepHuge: Reviver = (_key, value, { source }) =>
    typeof value === 'number' && !Number.isFinite(value) ? rawNumber(source) : value;
  return JSON.stringify(JSON.parse(json, keepHuge as never));
}
