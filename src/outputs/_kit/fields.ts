/** The facts of an alert, as chat outputs list them. Pure. */
import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/index.ts';
import { toGoText } from './go-text.ts';
import { byCodeUnit } from './text.ts';

/** A titled fact. */
export interface Fact {
  title: string;
  value: string;
  /** Whether it is one of the output fields. */
  isField?: boolean;
}

type TextField = readonly [name: string, value: string];

/** Of the alert asked about last: several outputs list the same one, about at the same time. */
let latest: { fields: Alert['outputFields']; texts: readonly TextField[] } | undefined;

/** The output fields whose value is a text, by name. */
export function textFields({ outputFields: fields }: Pick<Alert, 'outputFields'>): readonly TextField[] {
  if (latest?.fields !== fields) {
    const texts = Object.entries(fields)
      .filter((field): field is [string, string] => typeof field[1] === 'string')
      .sort(([a], [b]) => byCodeUnit(a, b));
    latest = { fields, texts };
  }
  return latest.texts;
}

/** All output fields by name, whatever their type, as Go prints them; `none` stands for null. */
export function allFields(alert: Pick<Alert, 'outputFields'>, none?: string): Fact[] {
  return Object.entries(alert.outputFields)
    .map(([title, value]) => ({ title, value: toGoText(value, none), isField: true }))
    .sort((a, b) => byCodeUnit(a.title, b.title));
}

const PARTS = {
  rule: (alert: Alert) => alert.rule,
  priority: (alert: Alert) => alert.priority,
  source: (alert: Alert) => alert.source,
  hostname: (alert: Alert) => alert.hostname,
  tags: (alert: Alert) => alert.tags.join(', '),
  time: (alert: Alert) => formatGoTime(alert.time),
};

/** A part of an alert that is shown as a fact; `fields` stands for the text-valued output fields. */
export type Part = keyof typeof PARTS | 'fields';

/** The parts of an alert in the order given; no hostname and no tags when there are none. */
export function facts(alert: Alert, order: readonly Part[]): Fact[] {
  return order.flatMap((part): Fact[] => {
    if (part === 'fields') {
      return textFields(alert).map(([title, value]) => ({ title, value, isField: true }));
    }
    const value = PARTS[part](alert);
    const optional = part === 'hostname' || part === 'tags';
    return optional && value === '' ? [] : [{ title: part, value }];
  });
}

/** The facts that say something: Google Chat refuses a message with an empty value, Teams shows a name without one. */
export function tellingFacts(alert: Alert, order: readonly Part[]): Fact[] {
  return facts(alert, order).filter(({ value }) => value.trim() !== '');
}

/** Colours by priority as falcosidekick's chat outputs use them. */
export const COLORS = {
  Emergency: '#e20b0b',
  Alert: '#ff5400',
  Critical: '#ff5400',
  Error: '#e20b0b',
  Warning: '#ffc700',
  Notice: '#5bffb5',
  Informational: '#68c2ff',
  Debug: '#ccfff2',
} as const;
