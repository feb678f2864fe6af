/** The mail that an alert becomes. Pure. */
import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/index.ts';
import { escapeHtml } from '../../core/template/quote.ts';
import { allFields, type Fact } from '../_kit/fields.ts';
import { truncate } from '../_kit/text.ts';

/** What a mail says, before it is put into MIME. */
export interface MailText {
  subject: string;
  /** RFC 5322, in the zone of the alert. */
  date: string;
  text: string;
  /** Absent for a mail of text alone. */
  html?: string;
}

/** RFC 5322 bounds lines, not headers; Postfix keeps 100 KiB of one (header_size_limit), folded and encoded. */
const MAX_SUBJECT = 4000;

const COLORS = {
  Emergency: '#e20b0b',
  Alert: '#ff5400',
  Critical: '#ff9000',
  Error: '#ffc700',
  Warning: '#ffff00',
  Notice: '#5bffb5',
  Informational: '#68c2ff',
  Debug: '#ccfff2',
} as const;

export function toMailText(alert: Alert, format: 'html' | 'text'): MailText {
  return {
    subject: toSubject(alert),
    date: formatGoTime(alert.time, 'Mon, 02 Jan 2006 15:04:05 -0700'),
    text: toText(alert),
    ...(format === 'html' && { html: toHtml(alert) }),
  };
}

/** One line whatever the alert says: a line break in it would be the start of another header. */
function toSubject(alert: Alert): string {
  const line = `[${alert.priority}] ${alert.output}`.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return truncate(line.toWellFormed().trimEnd(), MAX_SUBJECT);
}

function parts(alert: Alert): Fact[] {
  return [
    { title: 'Output', value: alert.output },
    { title: 'Rule', value: alert.rule },
    { title: 'Source', value: alert.source },
    { title: 'Hostname', value: alert.hostname },
    { title: 'Tags', value: alert.tags.join(' ') },
    { title: 'Time', value: formatGoTime(alert.time) },
  ];
}

function toText(alert: Alert): string {
  const line = ({ title, value }: Fact) => `${title}: ${value}`;
  const head = [{ title: 'Priority', value: alert.priority }, ...parts(alert)].map(line);
  const fields = allFields(alert, '<no value>').map(line);
  return [...head, '', '--Fields--', ...fields, ''].join('\n');
}

const TABLE = '<table cellpadding="5" cellspacing="0" style="width:700px;font-size:13px">';

function bar(text: string, color: string): string {
  const style = `background-color:${color};text-align:center;color:#fff;font-size:12px`;
  return `${TABLE}<tr><td style="${style}"><strong>${escapeHtml(text)}</strong></td></tr></table>\n`;
}

function rows(list: readonly Fact[]): string {
  const row = ({ title, value }: Fact) =>
    `<tr><td width="1" style="background-color:#858585;color:#fff;font-size:14px"><strong>${escapeHtml(title)}</strong></td>` +
    `<td style="background-color:#d1d6da">${escapeHtml(value)}</td></tr>\n`;
  return `${TABLE}\n${list.map(row).join('')}</table>\n`;
}

/** Colours and order as falcosidekick has them, without its picture, which every reader would fetch from elsewhere. */
function toHtml(alert: Alert): string {
  return (
    '<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">\n' +
    '<style type="text/css">td{font-family:arial,helvetica,sans-serif;}</style>\n' +
    bar(alert.priority, COLORS[alert.priority]) +
    rows(parts(alert)) +
    '<br>\n' +
    bar('Fields', '#858585') +
    rows(allFields(alert, ''))
  );
}
