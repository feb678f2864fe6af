import { outputField } from '../../core/alert/alert.ts';
import { toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';
import { toGoText } from '../_kit/go-text.ts';
import { toAttributes } from '../_kit/otlp/messages.ts';
import type { Message } from '../_kit/protobuf.ts';
import { toNanos } from '../_kit/times.ts';

/** SPAN_KIND_SERVER, as falcosidekick has it. */
const SERVER = 2;
/** Sampled, and known to have no remote parent: bits 0 and 8. */
const FLAGS = 0x101;

/** What the trace of an alert is made of: its pod, else its container, else its node; empty when it has none. */
export function subject(alert: Alert): string {
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
