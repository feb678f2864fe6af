import type { Alert } from '../../core/contract.ts';
import { toGoText } from '../_kit/go-text.ts';
import { toRfc3339Seconds } from '../_kit/times.ts';

/** Attribute of the entry → output fields that it is taken from, the first that holds a text, and not an empty one. */
const ATTRIBUTES = {
  'container.id': ['container.id'],
  'container.name': ['container.name'],
  'container.image.name': ['container.image'],
  'k8s.namespace.name': ['k8s.ns.name', 'ka.target.namespace'],
  'k8s.pod.name': ['k8s.pod.name'],
  'k8s.pod.uid': ['k8s.pod.id'],
  'process.executable.name': ['proc.name'],
};

function toAttributes(alert: Alert): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [attribute, fields] of Object.entries(ATTRIBUTES)) {
    const values = fields.map(field => alert.outputFields[field]);
    const value = values.find(one => typeof one === 'string' && one !== '');
    if (typeof value === 'string') attributes[attribute] = value;
  }
  // Of whatever type, as in falcosidekick.
  const span = toGoText(alert.outputFields['span.id'] ?? '');
  if (span !== '') attributes['span.id'] = span;
  return attributes;
}

/** Tags that hold something like `T1059.004`, or else `mitre_execution`; the last of each kind counts. */
function toMitre({ tags }: Alert): Record<string, string> {
  const isTechnique = (tag: string) => /T\d/.test(tag);
  const technique = tags.findLast(isTechnique);
  const tactic = tags.findLast(tag => !isTechnique(tag) && /mitre_\w/.test(tag));
  return {
    ...(technique && { 'mitre.technique': technique }),
    ...(tactic && { 'mitre.tactic': tactic }),
  };
}

export function toEntry(alert: Alert) {
  const { output, outputFields, tags } = alert;
  return {
    timestamp: toRfc3339Seconds(alert),
    'event.id': alert.uuid,
    'event.name': alert.rule,
    'event.provider': 'Falco',
    severity: alert.priority,
    ...(alert.hostname !== '' && { 'host.name': alert.hostname }),
    'log.source': alert.source,
    content: { output, output_fields: outputFields, ...(tags.length > 0 && { tags }) },
    ...toMitre(alert),
    ...toAttributes(alert),
  };
}
