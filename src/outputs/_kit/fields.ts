/** The facts of an alert, as chat outputs list them. Pure, but for what is kept of the alert asked about last. */
import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/index.ts';
import { toGoText } from './go-text.ts';
import { keepLatest } from './latest.ts';
import { byCodeUnit } from './text.ts';

/** A titled fact. */
export interface Fact {
  readonly title: string;
  readonly value: string;
  /** Whether it is one of the output fields. */
  readonly isField?: boolean;
}

const textsOf = keepLatest((fields: Alert['outputFields']): readonly Fact[] => {
  const texts: Fact[] = [];
  for (const title of Object.keys(fields)) {
    const value = fields[title];
    if (typeof value === 'string') texts.push({ title, value, isField: true });
  }
  return texts.sort(byTitle);
});

/** The output fields whose value is a text, by name. */
export function textFields({ outputFields }: Pick<Alert, 'outputFields'>): readonly Fact[] {
  return textsOf(outputFields);
}

/** All output fields by name, whatever their type, as Go prints them; `none` stands for null. */
export function allFields(alert: Pick<Alert, 'outputFields'>, none?: string): Fact[] {
  return Object.entries(alert.outputFields)
    .map(([title, value]) => ({ title, value: toGoText(value, none), isField: true }))
    .sort(byTitle);
}

function byTitle(a: Fact, b: Fact): number {
  return byCodeUnit(a.title, b.title);
}

const joined = keepLatest((tags: readonly string[]) => tags.join(', '));
const shownTime = keepLatest(formatGoTime);

const PARTS = {
  rule: (alert: Alert) => alert.rule,
  priority: (alert: Alert) => alert.priority,
  source: (alert: Alert) => alert.source,
  hostname: (alert: Alert) => alert.hostname,
  tags: (alert: Alert) => joined(alert.tags),
  time: (alert: Alert) => shownTime(alert.time),
};

/** A part of an alert that is shown as a fact; `fields` stands for the text-valued output fields. */
export type Part = keyof typeof PARTS | 'fields';

/** The parts of an alert in the order given; no hostname and no tags when there are none. */
export function facts(alert: Alert, order: readonly Part[]): Fact[] {
  const list: Fact[] = [];
  for (const part of order) {
    if (part === 'fields') {
      list.push(...textFields(alert));
      continue;
    }
    const value = PARTS[part](alert);
    const isOptional = part === 'hostname' || part === 'tags';
    if (!isOptional || value !== '') list.push({ title: part, value, isField: false });
  }
  return list;
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
