import type { Alert, Priority } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/index.ts';
import { toGoText } from '../_kit/go-text.ts';
import { toAnyValue, toAttributes } from '../_kit/otlp/messages.ts';
import type { Message } from '../_kit/protobuf.ts';
import { toNanos } from '../_kit/times.ts';

/** OpenTelemetry's severities, by its mapping of syslog's: opentelemetry.io/docs/specs/otel/logs/data-model-appendix. */
const SEVERITIES: Record<Priority, readonly [number, string]> = {
  Emergency: [21, 'FATAL'],
  Alert: [19, 'ERROR3'],
  Critical: [18, 'ERROR2'],
  Error: [17, 'ERROR'],
  Warning: [13, 'WARN'],
  Notice: [10, 'INFO2'],
  Informational: [9, 'INFO'],
  Debug: [5, 'DEBUG'],
};

interface RecordOptions {
  severity: 'info' | 'priority';
  outputfields: boolean;
}

/** The log record of an alert; `now` in milliseconds since the epoch. */
export function toRecord(alert: Alert, { severity, outputfields }: RecordOptions, now: number): Message {
  const [severityNumber, severityText] =
    SEVERITIES[severity === 'priority' ? alert.priority : 'Informational'];
  const fields = outputfields ? Object.entries(alert.outputFields) : [];
  return {
    timeUnixNano: toNanos(alert),
    observedTimeUnixNano: BigInt(now) * 1_000_000n,
    severityNumber,
    severityText,
    body: toAnyValue(alert.output),
    attributes: toAttributes([
      ['priority', alert.priority],
      ['source', alert.source],
      ['rule', alert.rule],
      ['hostname', alert.hostname],
      ['tags', alert.tags.join(',')],
      ['timestamp', formatGoTime(alert.time)],
      ...(outputfields ? [['uuid', alert.uuid] as const] : []),
      ...fields.map(([name, value]) => [name, toGoText(value)] as const),
    ]),
  };
}
