import { z } from 'zod';
import { outputField } from '../core/alert.ts';
import { type Alert, defineOutput } from '../core/contract.ts';
import { PermanentError } from '../core/errors.ts';
import { toText } from '../core/json.ts';
import { flag, integer } from '../core/keys.ts';
import { toGoText } from './_kit/go-text.ts';
import { createExporter } from './_kit/otlp/exporter.ts';
import { TRACES, toAttributes } from './_kit/otlp/messages.ts';
import { otlpKeys, readSettings, settingsProblems } from './_kit/otlp/settings.ts';
import type { Message } from './_kit/protobuf.ts';
import { toNanos } from './_kit/times.ts';

const SCOPE = 'falco-event';
/** SPAN_KIND_SERVER, as falcosidekick has it. */
const SERVER = 2;
/** Sampled, and known to have no remote parent: bits 0 and 8. */
const FLAGS = 0x101;
/** The receivers' usual limit for a request is 4 MiB (gRPC); a span is about as large as the alert's JSON. */
const BATCH = { items: 512, bytes: 1024 * 1024, waitMs: 1000 };

/** What the trace of an alert is made of: its pod, else its container, else its node; empty when it has none. */
function subject(alert: Alert): string {
  const field = (name: string) => toText(outputField(alert, name));
  const [namespace, pod, container] = [field('k8s.ns.name'), field('k8s.pod.name'), field('container.id')];
  if (namespace !== '' && pod !== '') return `${namespace}:${pod}`;
  return container !== '' && container !== 'host' ? container : field('evt.hostname');
}

/** FNV-1a with 128 bits: https://datatracker.ietf.org/doc/rfc9923. */
function fnv128(text: string): Buffer {
  let hash = 0x6c62272e07bb014262b821756295c58dn;
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(128, (hash ^ BigInt(byte)) * 0x0000000001000000000000000000013bn);
  }
  return Buffer.from(hash.toString(16).padStart(32, '0'), 'hex');
}

/** The span of an alert. Its ids follow from the alert, so that a repetition is the same span. */
export function toSpan(alert: Alert, durationMs: number): Message {
  const uuid = Buffer.from(alert.uuid.replaceAll('-', ''), 'hex');
  const from = subject(alert);
  const start = toNanos(alert);
  const fields = Object.entries(alert.outputFields);
  return {
    traceId: from === '' ? uuid : fnv128(from),
    spanId: uuid.subarray(8),
    flags: FLAGS,
    name: alert.rule,
    kind: SERVER,
    startTimeUnixNano: start,
    endTimeUnixNano: start + BigInt(durationMs) * 1_000_000n,
    attributes: toAttributes([
      ['uuid', alert.uuid],
      ['source', alert.source],
      ['priority', alert.priority],
      ['rule', alert.rule],
      ['hostname', alert.hostname],
      ['tags', alert.tags],
      ...fields.map(([name, value]) => [name, toGoText(value)] as const),
    ]),
    events: [{ timeUnixNano: start, name: alert.output }],
  };
}

export default defineOutput({
  name: 'otlp.traces',
  title: 'OpenTelemetry traces',
  category: 'other',
  docs: 'Sends alerts from system calls as spans over OTLP, one trace for each pod, container or node, see https://opentelemetry.io/docs/specs/otlp. Alerts of other sources, and those without `k8s.ns.name` and `k8s.pod.name`, `container.id` or `evt.hostname`, have no trace and are skipped.',
  http: true,
  keys: z.object({
    ...otlpKeys('/v1/traces'),
    duration: integer('Length of the spans, in milliseconds.', 1000, { max: 86_400_000 }),
    synced: flag('Sends each span at once instead of several together.'),
  }),
  enabled: config => config.endpoint !== '',
  check: settingsProblems,
  filtersTestRule: true,
  takes: alert => (alert.source === 'syscall' || alert.source === 'syscalls') && subject(alert) !== '',
  batchBy: config => (config.synced ? undefined : BATCH),
  async open(config, host) {
    const exporter = createExporter(TRACES, 'v0.1.0', readSettings('traces', config), host);
    return {
      async send(alerts, { signal }) {
        const spans = alerts.map(alert => toSpan(alert, config.duration));
        const refused = await exporter.export(SCOPE, spans, signal);
        if (refused) throw new PermanentError(refused.message, { reason: 'payload' });
      },
      probe: signal => exporter.probe(signal),
      close: async () => exporter.close(),
    };
  },
  example: { endpoint: 'http://collector.example:4318/v1/traces' },
});
