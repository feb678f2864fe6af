/** What a template is rendered over: an alert, or a bare set of fields. */
import type { Alert } from '../alert/alert.ts';
import type { JsonValue } from '../alert/json.ts';
import { PRIORITIES, priorityRank } from '../alert/priority.ts';
import { parseInstant, ZERO_TIME } from './time.ts';
import { Time } from './time-value.ts';
import { Dict, GoValue, Int, type IntType, List, type Method, type Value } from './value.ts';

/** The value that a template starts from as `.` and `$`. Made by `alertData` and `fieldsData`. */
export interface TemplateData {
  readonly root: Value;
}

/**
 * An alert with falcosidekick's field names: UUID, Output, Priority, Rule, Time, OutputFields, Source, Tags, Hostname.
 * Nothing is converted before a template reads it.
 */
export function alertData(alert: Alert): TemplateData {
  return { root: new AlertValue(alert) };
}

/** Bare fields, by name: what `templatedfields` are rendered over. */
export function fieldsData(fields: Iterable<readonly [string, JsonValue]>): TemplateData {
  return { root: new Dict(fields instanceof Map ? fields : new Map(fields)) };
}

// Prints as a word and compares as a number, 1 for Debug to 8 for Emergency.
const PRIORITY: IntType = {
  name: 'types.PriorityType',
  kind: 'int',
  text: rank => PRIORITIES[Number(rank) - 1] ?? '',
};

const FIELDS: ReadonlyMap<string, (alert: Alert) => Value> = new Map<string, (alert: Alert) => Value>([
  ['UUID', alert => alert.uuid],
  ['Output', alert => alert.output],
  ['Priority', alert => new Int(PRIORITY, BigInt(priorityRank(alert.priority)))],
  ['Rule', alert => alert.rule],
  ['Time', alert => new Time(parseInstant(alert.time) ?? ZERO_TIME)],
  ['OutputFields', alert => new Dict(alert.outputFields)],
  ['Source', alert => alert.source],
  ['Tags', alert => new List(alert.tags, '[]string')],
  ['Hostname', alert => alert.hostname],
]);

/** The alert as a Go struct; printed whole it is its JSON. */
export class AlertValue extends GoValue {
  readonly kind = 'struct';
  readonly type = 'types.FalcoPayload';
  readonly #alert: Alert;
  readonly #read = new Map<string, Value>();

  constructor(alert: Alert) {
    super();
    this.#alert = alert;
  }

  hasField(name: string): boolean {
    return FIELDS.has(name);
  }

  field(name: string): Value {
    if (!this.#read.has(name)) this.#read.set(name, FIELDS.get(name)?.(this.#alert));
    return this.#read.get(name);
  }

  override text(): string {
    return this.#alert.json;
  }

  override method(name: string): Method | undefined {
    return name === 'String' ? { params: [], call: () => this.text() } : undefined;
  }
}
