import { isRawNumber, toText } from '../../core/alert/json.ts';
import { PRIORITIES, parsePriority } from '../../core/alert/priority.ts';
import type { Alert, Priority } from '../../core/contract.ts';
import { createNamer, toLabelName } from '../_kit/names.ts';
import { scale } from '../_kit/scale.ts';
import { toRfc3339After } from '../_kit/times.ts';
import { gradeDrops, parseDropThresholds, worse } from './drops.ts';

const SEVERITIES = scale({ Emergency: 'critical', Error: 'warning', Notice: 'information' });

/** Labels of this output's own, which no output field may take. */
const OWN_LABELS = ['alertname', 'eventsource', 'hostname', 'priority', 'rule', 'severity', 'source', 'tags'];

const toLabelNames = createNamer(toLabelName, OWN_LABELS);

export interface AlertmanagerConfig {
  hostport: string[];
  endpoint: string;
  expiresafter: number;
  extralabels: Record<string, string>;
  extraannotations: Record<string, string>;
  customseveritymap: Record<string, string>;
  dropeventdefaultpriority: string;
  dropeventthresholds: string;
}

/** One alert of `POST /api/v2/alerts`: github.com/prometheus/alertmanager, api/v2/openapi.yaml. */
export function toPostableAlert(alert: Alert, config: AlertmanagerConfig) {
  const { labels, priority } = toFieldLabels(alert, config);
  const severity = severityOf(priority, config.customseveritymap);
  return {
    labels: {
      ...labels,
      source: 'falco',
      rule: alert.rule,
      alertname: alert.rule,
      eventsource: alert.source,
      ...(alert.hostname !== '' && { hostname: alert.hostname }),
      ...(alert.tags.length > 0 && { tags: alert.tags.join(',') }),
      priority,
      severity,
      ...config.extralabels,
    },
    annotations: {
      info: alert.output,
      description: alert.output,
      summary: alert.rule,
      ...config.extraannotations,
    },
    // Without it the alert ends after the `resolve_timeout` of Alertmanager.
    ...(config.expiresafter > 0 && { endsAt: toRfc3339After(alert, config.expiresafter) }),
  };
}

/** Labels for the output fields with a text or number, and the priority that dropped events raise the alert to. */
function toFieldLabels(alert: Alert, config: AlertmanagerConfig) {
  const fields = Object.entries(alert.outputFields).filter(
    ([name, value]) =>
      !name.startsWith('n_evts') &&
      (typeof value === 'string' || typeof value === 'number' || isRawNumber(value)),
  );
  const names = toLabelNames(fields.map(([name]) => name));
  const labels: Record<string, string> = {};
  let priority = alert.priority;
  for (const [name, value] of fields) {
    let label = toText(value);
    if (name.startsWith('n_drop') && /^\d{1,19}$/.test(label)) {
      const thresholds = parseDropThresholds(config.dropeventthresholds) ?? [];
      const otherwise = parsePriority(config.dropeventdefaultpriority) ?? 'Critical';
      const grade = gradeDrops(BigInt(label), thresholds, otherwise);
      label = grade.label;
      priority = worse(priority, grade.priority);
    }
    labels[names.get(name)!] = label;
  }
  return { labels, priority };
}

/** A key of `customseveritymap`: a priority's name, or its number as falcosidekick wants it in a file. */
export function toPriority(name: string): Priority | undefined {
  return parsePriority(name.trim()) ?? PRIORITIES[Number(name) - 1];
}

function severityOf(priority: Priority, custom: Record<string, string>): string {
  const own = Object.entries(custom).find(([name]) => toPriority(name) === priority);
  return own?.[1] ?? SEVERITIES[priority];
}
