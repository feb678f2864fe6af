/** The labels of the counter of alerts: falcosidekick's, then those of the configuration. */
import { type Alert, outputField } from '../alert/alert.ts';
import { toText } from '../alert/json.ts';
import { PRIORITIES, type Priority, priorityRank } from '../alert/priority.ts';
import type { EnrichConfig, MetricsConfig } from '../config/types.ts';

/** The parts of the configuration that make labels. */
export interface LabelConfig {
  metrics: Pick<MetricsConfig, 'extraLabels' | 'maxSeries'>;
  enrich: Pick<EnrichConfig, 'customFields' | 'templatedFields'>;
}

/** A label and the output field that it shows. */
export interface FieldLabel {
  label: string;
  field: string;
}

const BUILT_IN = ['hostname', 'rule', 'priority', 'priority_raw', 'source'] as const;

const FALCO_FIELDS: readonly FieldLabel[] = [
  { label: 'k8s_ns_name', field: 'k8s.ns.name' },
  { label: 'k8s_pod_name', field: 'k8s.pod.name' },
];

/** Labels with at most eight values. */
export const PRIORITY_LABELS: readonly string[] = ['priority', 'priority_raw'];

// Prometheus keeps names that begin with two underscores to itself.
const LEGAL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The labels that show output fields, each with a legal name of its own. Custom and templated fields become labels as
 * in falcosidekick, dots as underscores, and are left out when that gives no legal name; fields asked for as labels
 * have every other sign replaced. Two fields that come to the same name are told apart by a number.
 */
export function fieldLabels(config: LabelConfig): { labels: FieldLabel[]; leftOut: string[] } {
  const labels = [...FALCO_FIELDS];
  const leftOut: string[] = [];
  const taken = new Set<string>([...BUILT_IN, ...labels.map(({ label }) => label)]);
  const add = (field: string, name: string) => {
    if (labels.some(known => known.field === field)) return;
    let label = name;
    for (let number = 2; taken.has(label); number++) label = `${name}_${number}`;
    taken.add(label);
    labels.push({ label, field });
  };
  for (const field of [
    ...Object.keys(config.enrich.customFields),
    ...Object.keys(config.enrich.templatedFields),
  ]) {
    const name = field.replaceAll('.', '_');
    if (LEGAL.test(name)) add(field, name);
    else leftOut.push(field);
  }
  for (const field of config.metrics.extraLabels) add(field, toLabelName(field));
  return { labels, leftOut };
}

/** A legal label name for any field name: `proc.aname[2]` → `proc_aname_2`. */
function toLabelName(field: string): string {
  const name = field.replaceAll('.', '_');
  if (LEGAL.test(name)) return name;
  const plain = field.replace(/[^a-zA-Z0-9]+/g, '_').replace(/_+$/, '');
  return /^[a-zA-Z_]/.test(plain) ? plain : `_${plain}`;
}

/** All label names, in the order of `eventValues`. */
export function eventLabelNames(labels: readonly FieldLabel[]): string[] {
  return [...BUILT_IN, ...labels.map(({ label }) => label)];
}

const PRIORITY_TEXTS = new Map<Priority, [string, string]>(
  PRIORITIES.map(name => [name, [String(priorityRank(name)), name.toLowerCase()]]),
);

/** The label values of an alert. */
export function eventValues(alert: Alert, labels: readonly FieldLabel[]): string[] {
  const [rank, raw] = PRIORITY_TEXTS.get(alert.priority) ?? ['0', ''];
  const values = [alert.hostname || 'unknown', alert.rule, rank, raw, alert.source];
  for (const { field } of labels) values.push(toText(outputField(alert, field)));
  return values;
}
