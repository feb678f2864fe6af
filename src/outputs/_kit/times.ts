/** The time of an alert in the forms that targets want. Pure. */
import type { Alert } from '../../core/contract.ts';
import {
  formatInstant,
  type Instant,
  parseInstant,
  RFC3339_NANO,
  ZERO_TIME,
} from '../../core/template/time.ts';

function instantOf(alert: Pick<Alert, 'time'>): Instant {
  return parseInstant(alert.time) ?? ZERO_TIME;
}

/** Whole milliseconds since the epoch. */
export function toMillis(alert: Pick<Alert, 'time'>): number {
  const { seconds, nanos } = instantOf(alert);
  return seconds * 1000 + Math.floor(nanos / 1_000_000);
}

/** Nanoseconds since the epoch, exact. */
export function toNanos(alert: Pick<Alert, 'time'>): bigint {
  const { seconds, nanos } = instantOf(alert);
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

/** RFC 3339 in UTC, with the decimals that count. */
export function toRfc3339Utc(alert: Pick<Alert, 'time'>): string {
  if (alert.time.endsWith('Z')) return alert.time;
  return formatInstant({ ...instantOf(alert), offset: 0 }, RFC3339_NANO);
}

/** RFC 3339 without fractions of a second, in the sender's zone. */
export function toRfc3339Seconds(alert: Pick<Alert, 'time'>): string {
  return formatInstant(instantOf(alert), '2006-01-02T15:04:05Z07:00');
}

/** RFC 3339 so many seconds after the alert, in the sender's zone, with the decimals that count. */
export function toRfc3339After(alert: Pick<Alert, 'time'>, seconds: number): string {
  const instant = instantOf(alert);
  return formatInstant({ ...instant, seconds: instant.seconds + seconds }, RFC3339_NANO);
}
