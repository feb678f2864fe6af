import { z } from 'zod';
import { type Alert, defineOutput, type Priority } from '../core/contract.ts';
import { PermanentError } from '../core/errors.ts';
import { flag, oneOf } from '../core/keys.ts';
import { formatGoTime } from '../core/template/index.ts';
import { toGoText } from './_kit/go-text.ts';
import { createExporter } from './_kit/otlp/exporter.ts';
import { LOGS, toAnyValue, toAttributes } from './_kit/otlp/messages.ts';
import { otlpKeys, readSettings, settingsProblems } from './_kit/otlp/settings.ts';
import type { Message } from './_kit/protobuf.ts';
import { toNanos } from './_kit/times.ts';

const SCOPE = 'falco';
/** The receivers' usual limit for a request is 4 MiB (gRPC); a record is smaller than the alert's JSON. */
const BATCH = { items: 512, bytes: 2 * 1024 * 1024, waitMs: 1000 };

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

export default defineOutput({
  name: 'otlp.logs',
  title: 'OpenTelemetry logs',
  category: 'logs',
  docs: 'Sends alerts as log records over OTLP, see https://opentelemetry.io/docs/specs/otlp.',
  http: true,
  keys: z.object({
    ...otlpKeys('/v1/logs'),
    synced: flag('Sends each record at once instead of several together.'),
    severity: oneOf(
      'Severity of the records: `info` for all, as falcosidekick has it, or by the `priority` of the alert.',
      ['info', 'priority'],
      'info',
    ),
    outputfields: flag("Adds the alert's output fields and its uuid to the attributes."),
  }),
  enabled: config => config.endpoint !== '',
  check: settingsProblems,
  filtersTestRule: true,
  batchBy: config => (config.synced ? undefined : BATCH),
  async open(config, host) {
    const exporter = createExporter(LOGS, 'v0.1.0', readSettings('logs', config), host);
    return {
      async send(alerts, { signal }) {
        const records = alerts.map(alert => toRecord(alert, config, host.clock.now()));
        const refused = await exporter.export(SCOPE, records, signal);
        if (refused) throw new PermanentError(refused.message, { reason: 'payload' });
      },
      probe: signal => exporter.probe(signal),
      close: async () => exporter.close(),
    };
  },
  example: { endpoint: 'http://collector.example:4318/v1/logs' },
});
