import { flag, integer } from '../../core/keys.ts';
import { defineOtlpOutput } from '../_kit/otlp/define.ts';
import { TRACES } from '../_kit/otlp/messages.ts';
import { subject, toSpan } from './span.ts';

export default defineOtlpOutput({
  name: 'otlp.traces',
  title: 'OpenTelemetry traces',
  category: 'other',
  docs: 'Sends alerts from system calls as spans over OTLP, one trace for each pod, container or node, see https://opentelemetry.io/docs/specs/otlp. Alerts of other sources, and those without `k8s.ns.name` and `k8s.pod.name`, `container.id` or `evt.hostname`, have no trace and are skipped.',
  keys: {
    duration: integer('Length of the spans, in milliseconds.', 1000, { max: 86_400_000 }),
    synced: flag('Sends each span at once instead of several together.'),
  },
  signal: TRACES,
  scope: 'falco-event',
  // The collector takes requests of 4 MiB over gRPC (its configgrpc, `max_recv_msg_size_mib`); a span is about as large as the alert's JSON.
  batch: { items: 512, bytes: 1024 * 1024, waitMs: 1000 },
  takes: alert => (alert.source === 'syscall' || alert.source === 'syscalls') && subject(alert) !== '',
  toItem: (alert, { duration }) => toSpan(alert, duration),
});
