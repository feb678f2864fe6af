import type { Alert } from '../../core/contract.ts';
import { type Tag, toTags } from '../_kit/tags.ts';
import { truncateBytes } from '../_kit/text.ts';

/** Longest string: docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol, "Data types and format". */
const MAX_FIELD_BYTES = 64_000;
/**
 * Measurement, tags and their names together: `MaxKeyLength` of github.com/influxdata/influxdb, models/points.go. Four
 * bytes and the name of the field count, too (`seriesKeySize`).
 */
const MAX_KEY_BYTES = 65_535 - 4 - 'value'.length;
const MAX_TAG_BYTES = 2_048;

const toOneLine = (text: string) => truncateBytes(text, MAX_TAG_BYTES).replace(/[\r\n]+/g, '_');

/**
 * A name or value of a tag: docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol, "Special characters". A line
 * break cannot be written. Nor can a backslash at the end, or an odd number before a character that is escaped: readers
 * differ in what belongs together there; one more, and at the end a blank, suits them all.
 */
function toTag(text: string): string {
  const line = toOneLine(text);
  return (line.endsWith('\\') ? `${line} ` : line).replace(
    /(\\*)([,= ])/g,
    (_, before: string, char: string) => `${before}${before.length % 2 === 1 ? '\\' : ''}\\${char}`,
  );
}

/** falcosidekick's way with blanks. */
const toTagValue = (value: string) => toTag(value.replaceAll(' ', '_'));

const toStringField = (value: string) =>
  `"${truncateBytes(value, MAX_FIELD_BYTES).replace(/["\\]/g, '\\$&')}"`;

/** The alert in line protocol, `events,rule=...,priority=... value="..."`; the time only where it is asked for. */
export function toLine(alert: Alert, time?: bigint): string {
  const parts: Tag[] = [
    ['rule', alert.rule],
    ['priority', alert.priority],
    ['source', alert.source],
    ['hostname', alert.hostname],
    ['tags', alert.tags.join('_')],
  ];
  const tags = toTags(alert, parts, name => toOneLine(name) || 'field', ['time', 'value']);
  let key = 'events';
  let room = MAX_KEY_BYTES - key.length;
  for (const [name, value] of tags) {
    // A tag without a value makes a broken line.
    if (value === '') continue;
    const tag = `,${toTag(name)}=${toTagValue(value)}`;
    room -= Buffer.byteLength(tag);
    if (room < 0) break;
    key += tag;
  }
  return `${key} value=${toStringField(alert.output)}${time === undefined ? '' : ` ${time}`}`;
}
