/** Points in time with their offset, calendar, and Go's layout formatting. */
import { CANONICAL_UTC } from '../alert/rfc3339.ts';

/** A point in time as RFC 3339 writes it. */
export interface Instant {
  /** Whole seconds since 1970, UTC. */
  readonly seconds: number;
  /** 0 to 999999999. */
  readonly nanos: number;
  /** Seconds east of Greenwich. */
  readonly offset: number;
  /** Abbreviation of the zone; empty when only the offset is known. */
  readonly zone: string;
}

/** A date and a clock time as read in the instant's own zone. */
export interface Clock {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** 0 is Sunday. */
  weekday: number;
  /** 1 to 366. */
  yearDay: number;
}

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

export const WEEKDAYS = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;

/** Go's zero time, which stands in for a time that cannot be read. */
export const ZERO_TIME: Instant = { seconds: -62_135_596_800, nanos: 0, offset: 0, zone: 'UTC' };

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Reads an RFC 3339 time; undefined when it is none. */
export function parseInstant(text: string): Instant | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute] = match;
  const size = Number(offsetHour ?? 0) * 3600 + Number(offsetMinute ?? 0) * 60;
  const offset = sign === '-' ? -size : size;
  return {
    seconds:
      utcSeconds(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)) -
      offset,
    nanos: Number(fraction.padEnd(9, '0')),
    offset: offset || 0,
    zone: size === 0 ? 'UTC' : '',
  };
}

/** Seconds since 1970 of a date and time in UTC; months and days beyond their range carry over. */
export function utcSeconds(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number {
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() / 1000 + hour * 3600 + minute * 60 + second;
}

/** The calendar date and clock time of an instant in its own zone. */
export function clockOf(instant: Instant): Clock {
  const date = new Date((instant.seconds + instant.offset) * 1000);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth() + 1;
  const day = date.getUTCDate();
  return {
    year,
    month,
    day,
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
    yearDay: (utcSeconds(year, month, day, 0, 0, 0) - utcSeconds(year, 1, 1, 0, 0, 0)) / 86_400 + 1,
  };
}

/** Go's layout for RFC 3339 with the decimals that count. */
export const RFC3339_NANO = '2006-01-02T15:04:05.999999999Z07:00';

/** Go's `Time.String` without its monotonic part. */
export const STRING_LAYOUT = '2006-01-02 15:04:05.999999999 -0700 MST';

// The parts of a layout that stand for something, as listed at https://pkg.go.dev/time#pkg-constants; at each place
// the first that fits wins. `_` before 2006 is itself.
const PART =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|__2|_(?=2006)|_2|3|4|5|PM|pm|[-Z]07(?:0000|:00:00|00|:00)?|[.,](?:0+|9+)(?!\d)/g;

/** Formats an instant by a Go layout, in the instant's own zone. */
export function formatInstant(instant: Instant, layout: string): string {
  const clock = clockOf(instant);
  return layout.replace(PART, part => formatPart(part, clock, instant));
}

/**
 * Formats an RFC 3339 time as Go does. Without a layout as Go prints a time, `2024-06-08 08:14:02.1 +0000 UTC`.
 * A text that is no such time comes back as it is.
 */
export function formatGoTime(rfc3339: string, layout: string = STRING_LAYOUT): string {
  // What Falco writes: the digits are all there already.
  if (layout === STRING_LAYOUT && CANONICAL_UTC.test(rfc3339)) {
    return `${rfc3339.slice(0, 10)} ${rfc3339.slice(11, -1)} +0000 UTC`;
  }
  const instant = parseInstant(rfc3339);
  return instant ? formatInstant(instant, layout) : rfc3339;
}

function formatPart(part: string, clock: Clock, instant: Instant): string {
  switch (part) {
    case 'January':
      return MONTHS[clock.month - 1] ?? '';
    case 'Jan':
      return (MONTHS[clock.month - 1] ?? '').slice(0, 3);
    case 'Monday':
      return WEEKDAYS[clock.weekday] ?? '';
    case 'Mon':
      return (WEEKDAYS[clock.weekday] ?? '').slice(0, 3);
    case '1':
      return String(clock.month);
    case '01':
      return pad(clock.month, 2);
    case '2':
      return String(clock.day);
    case '_2':
      return String(clock.day).padStart(2);
    case '02':
      return pad(clock.day, 2);
    case '__2':
      return String(clock.yearDay).padStart(3);
    case '002':
      return pad(clock.yearDay, 3);
    case '15':
      return pad(clock.hour, 2);
    case '3':
      return String(clock.hour % 12 || 12);
    case '03':
      return pad(clock.hour % 12 || 12, 2);
    case '4':
      return String(clock.minute);
    case '04':
      return pad(clock.minute, 2);
    case '5':
      return String(clock.second);
    case '05':
      return pad(clock.second, 2);
    case '2006':
      return pad(clock.year, 4);
    case '06':
      return pad(Math.abs(clock.year) % 100, 2);
    case 'PM':
      return clock.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return clock.hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return instant.zone || formatOffset('-0700', instant.offset);
    case '_':
      return '_';
  }
  return part[0] === '.' || part[0] === ','
    ? formatFraction(part, instant.nanos)
    : formatOffset(part, instant.offset);
}

function formatOffset(part: string, offset: number): string {
  if (part[0] === 'Z' && offset === 0) return 'Z';
  const size = Math.abs(offset);
  const colon = part.includes(':') ? ':' : '';
  const digits = part.replace(/[^\d]/g, '').length;
  let text = (offset < 0 ? '-' : '+') + pad(Math.floor(size / 3600), 2);
  if (digits >= 4) text += colon + pad(Math.floor(size / 60) % 60, 2);
  if (digits >= 6) text += colon + pad(size % 60, 2);
  return text;
}

function formatFraction(part: string, nanos: number): string {
  const digits = pad(nanos, 9).slice(0, part.length - 1);
  if (part[1] === '0') return part[0] + digits;
  const significant = digits.replace(/0+$/, '');
  return significant && part[0] + significant;
}

function pad(value: number, width: number): string {
  const digits = String(Math.abs(value)).padStart(width, '0');
  return value < 0 ? `-${digits}` : digits;
}
