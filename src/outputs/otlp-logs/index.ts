import { flag, oneOf } from '../../core/keys.ts';
import { defineOtlpOutput } from '../_kit/otlp/define.ts';
import { LOGS } from '../_kit/otlp/messages.ts';
import { toRecord } from './record.ts';

export default defineOtlpOutput({
  name: 'otlp.logs',
  title: 'OpenTelemetry logs',
  category: 'logs',
  docs: 'Sends alerts as log records over OTLP, see https://opentelemetry.io/docs/specs/otlp.',
  keys: {
    synced: flag('Sends each record at once instead of several together.'),
    severity: oneOf(
      'Severity of the records: `info` for all, as falcosidekick has it, or by the `priority` of the alert.',
      ['info', 'priority'],
      'info',
    ),
    outputfields: flag("Adds the alert's output fields and its uuid to the attributes."),
  },
  signal: LOGS,
  scope: 'falco',
  // The collector takes requests of 4 MiB over gRPC (its configgrpc, `max_recv_msg_size_mib`); a record is smaller than the alert's JSON.
  batch: { items: 512, bytes: 2 * 1024 * 1024, waitMs: 1000 },
  toItem: toRecord,
});
