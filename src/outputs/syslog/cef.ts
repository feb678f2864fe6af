/**
 * An alert in the Common Event Format, version 0: "CEF Implementation Standard", section "Character Encoding", at
 * https://www.microfocus.com/documentation/arcsight. Pure.
 */
import type { Alert } from '../../core/contract.ts';
import { allFields } from '../_kit/fields.ts';
import { toMillis, toRfc3339Seconds } from '../_kit/times.ts';

const SEVERITY = {
  Emergency: 10,
  Alert: 9,
  Critical: 8,
  Error: 7,
  Warning: 6,
  Notice: 4,
  Informational: 3,
  Debug: 0,
} as const;

/**
 * The event on one line. In the form of falcosidekick only what would break it apart is escaped: bars of the header
 * and line breaks. Strictly, equals signs and backslashes of values are too, and `start` is in milliseconds, as the
 * standard wants it.
 */
export function toCef(alert: Alert, strict: boolean): string {
  const fields = allFields(alert, '<nil>').map(({ title, value }) => `${title}:${value}`);
  const values: [key: string, value: string][] = [
    ['uuid', alert.uuid],
    ['start', strict ? String(toMillis(alert)) : toRfc3339Seconds(alert)],
    ['msg', alert.output],
    ['source', alert.source],
    ['hostname', alert.hostname],
    ['outputfields', fields.join(' ')],
    ['tags', alert.tags.join(',')],
  ];
  const head = ['CEF:0', 'Falcosecurity', 'Falco', '1.0', 'Falco Event', inHeader(alert.rule)];
  const extension = values
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}=${inValue(value, strict)}`);
  return `${head.join('|')}|${SEVERITY[alert.priority]}|${extension.join(' ')}`;
}

function inHeader(text: string): string {
  return clean(text.replace(/[\r\n]+/g, ' ')).replace(/[\\|]/g, '\\$&');
}

function inValue(text: string, strict: boolean): string {
  const escaped = strict ? text.replace(/[\\=]/g, '\\$&') : text;
  return clean(escaped.replace(/\r\n|\n/g, '\\n').replaceAll('\r', '\\r'));
}

/** Other signs that do not print have no way to be written. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ').toWellFormed();
}
