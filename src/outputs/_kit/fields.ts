/** The facts of an alert in the order in which falcosidekick's chat outputs list them. */
import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/index.ts';
import { byCodeUnit } from './text.ts';

/** A titled fact. */
export interface Fact {
  title: string;
  value: string;
  /** Whether it is one of the output fields. */
  isField?: boolean;
}

/** rule, priority, source, hostname and tags when there are any, text-valued output fields by name, time. */
export function facts(alert: Alert): Fact[] {
  const list: Fact[] = [
    { title: 'rule', value: alert.rule },
    { title: 'priority', value: alert.priority },
    { title: 'source', value: alert.source },
  ];
  if (alert.hostname !== '') list.push({ title: 'hostname', value: alert.hostname });
  if (alert.tags.length > 0) list.push({ title: 'tags', value: alert.tags.join(', ') });
  const names = Object.keys(alert.outputFields).sort(byCodeUnit);
  for (const title of names) {
    const value = alert.outputFields[title];
    if (typeof value === 'string') list.push({ title, value, isField: true });
  }
  list.push({ title: 'time', value: formatGoTime(alert.time) });
  return list;
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
