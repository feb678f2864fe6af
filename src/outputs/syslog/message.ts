/** Syslog messages and the ways to put them on a stream. Pure. */

import { priorityRank } from '../../core/alert/priority.ts';
import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/index.ts';
import { toRfc3339Seconds } from '../_kit/times.ts';

/** By their numbers: RFC 5424, section 6.2.1. */
export const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;

export type Header = 'falcosidekick' | 'rfc3164' | 'rfc5424';
export type Framing = 'newline' | 'octets';

/** Who sends. */
export interface Sender {
  hostname: string;
  pid: number;
}

export interface MessageOptions {
  header: Header;
  facility: (typeof FACILITIES)[number];
  sender: Sender;
}

const TAG = 'Falco';

/** The message with its header, on one line. Its time is that of the alert, which may have waited for the server. */
export function toMessage(alert: Alert, body: string, { header, facility, sender }: MessageOptions): string {
  const severity = 8 - priorityRank(alert.priority);
  const pri = `<${FACILITIES.indexOf(facility) * 8 + severity}>`;
  const host = toHostname(sender.hostname);
  const tag = `${TAG}[${sender.pid}]:`;
  switch (header) {
    // Neither of the standards: the header of one with the time of the other.
    case 'falcosidekick':
      return `${pri}${toRfc3339Seconds(alert)} ${host} ${tag} ${body}`;
    case 'rfc3164':
      return `${pri}${formatGoTime(alert.time, 'Jan _2 15:04:05')} ${host} ${tag} ${body}`;
    // At most six decimals; no MSGID and no structured data.
    case 'rfc5424': {
      const time = formatGoTime(alert.time, '2006-01-02T15:04:05.999999Z07:00');
      return `${pri}1 ${time} ${host} ${TAG} ${sender.pid} - - ${body}`;
    }
  }
}

/** Printable ASCII of at most 255 signs, or a hyphen for none. */
function toHostname(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '').slice(0, 255) || '-';
}

/** RFC 6587: a message on a stream ends with a newline, or begins with its length in bytes (RFC 5425 wants this for TLS). */
export function toFrame(message: string, framing: Framing): Buffer {
  if (framing === 'newline') return Buffer.from(`${message}\n`);
  const bytes = Buffer.from(message);
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
}

/** falcosidekick ends datagrams with a newline; RFC 5426 knows none. */
export function toDatagram(message: string, header: Header): Buffer {
  return Buffer.from(header === 'falcosidekick' ? `${message}\n` : message);
}
