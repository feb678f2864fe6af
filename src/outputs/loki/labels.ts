import { outputField } from '../../core/alert/alert.ts';
import { isJsonObject, toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';
import { legalNames } from '../_kit/names.ts';
import { truncateBytes } from '../_kit/text.ts';

/** Longer values are refused: grafana.com/docs/loki/latest/configure/#limits_config, `max_label_value_length`. */
const MAX_LABEL_VALUE = 2048;

/** Output fields that are always labels. */
const KUBERNETES = ['k8s.ns.name', 'k8s.pod.name'];
const BUILT_IN = ['rule', 'source', 'priority', 'hostname', 'tags', 'k8s_ns_name', 'k8s_pod_name'];

export interface LokiConfig {
  hostport: string;
  endpoint: string;
  user: string;
  apikey: string;
  tenant: string;
  format: 'text' | 'json';
  extralabels: string[];
  extralabelslist: string[];
}

/** falcosidekick's way to a label name, and `_` for what else no label may hold: `proc.aname[2]` → `proc_aname2`. */
export function toLokiLabel(field: string): string {
  const name = field.replace(/[[\]]/g, '').replace(/[^a-zA-Z0-9_]/g, '_');
  return /^[a-zA-Z_]/.test(name) ? name : `_${name}`;
}

/** Field → label. Made of the settings alone, so that a field has the same label in every alert. */
export function labelNames(config: LokiConfig, customFields: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Set([...customFields, ...config.extralabels, ...config.extralabelslist]);
  for (const field of KUBERNETES) fields.delete(field);
  const names = legalNames([...fields], toLokiLabel, BUILT_IN);
  for (const field of KUBERNETES) names.set(field, toLokiLabel(field));
  return names;
}

/** The labels of an alert's stream; an output field that is an empty text has an empty one, which Loki leaves out. */
export function toLabels(alert: Alert, names: ReadonlyMap<string, string>): Record<string, string> {
  const labels: Record<string, string> = {};
  const add = (name: string, value: string) => {
    if (value !== '') labels[name] = truncateBytes(value, MAX_LABEL_VALUE);
  };
  add('rule', alert.rule);
  add('source', alert.source);
  add('priority', alert.priority);
  for (const [field, name] of names) {
    const value = outputField(alert, field);
    const plain = Array.isArray(value) || isJsonObject(value) ? '' : toText(value);
    // Quotes are left out as in falcosidekick; the line has them.
    if (value === '') labels[name] = '';
    else add(name, plain.replaceAll('"', ''));
  }
  add('hostname', alert.hostname);
  if (alert.tags.length > 0) labels.tags = truncateBytes(alert.tags.join(','), MAX_LABEL_VALUE);
  return labels;
}
