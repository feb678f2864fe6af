import { type JsonValue, toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';
import { scale } from '../_kit/scale.ts';
import { toNanos } from '../_kit/times.ts';

const LEVELS = scale({
  Emergency: 'critical',
  Alert: 'high',
  Critical: 'critical',
  Error: 'high',
  Warning: 'medium',
  Notice: 'low',
  Informational: 'info',
});

const toNumber = (value: JsonValue | undefined) =>
  /^-?\d{1,15}$/.test(toText(value)) ? Number(toText(value)) : undefined;

/** Seconds of the system call, or of the alert where there is none. */
function toSeconds(alert: Alert): number {
  const nanos = toText(alert.outputFields['evt.time']);
  return Number((/^\d{10,19}$/.test(nanos) ? BigInt(nanos) : toNanos(alert)) / 1_000_000_000n);
}

/** The text without the time and priority that Falco puts in front, as words. */
function toWords(output: string): string[] {
  const words = output.split(' ');
  return /^\d\d:\d\d:\d\d[\d.]*: \w+ ./.test(output) ? words.slice(2) : words;
}

/** A record of schema falco_alert. @param now milliseconds since the epoch */
export function toRecord(alert: Alert, now: number) {
  const { outputFields } = alert;
  const pid = toNumber(outputFields['proc.pid']);
  return {
    schema: 'falco_alert::1.0.0',
    id: alert.uuid,
    monotonic_time: Number(toNanos(alert) % 1_000_000_000n),
    orc_time: now / 1000,
    time: toSeconds(alert),
    ...(pid !== undefined && { pid }),
    level: LEVELS[alert.priority],
    msg: toWords(alert.output),
    args: toText(outputFields['proc.cmdline']),
    container: toText(outputFields['container.id']),
  };
}
