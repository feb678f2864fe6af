import type { Alert, Priority } from '../../core/contract.ts';
import { isRawNumber, toText } from '../../core/json.ts';
import { integer, list, oneOf, pairs, text } from '../../core/keys.ts';
import { PRIORITIES, parsePriority } from '../../core/priority.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { legalNames, toLabelName } from '../_kit/names.ts';
import { toRfc3339After } from '../_kit/times.ts';
import { joinUrl } from '../_kit/url.ts';
import { gradeDrops, parseDropThresholds, worse } from './drops.ts';

const SEVERITIES: Record<Priority, string> = {
  Emergency: 'critical',
  Alert: 'critical',
  Critical: 'critical',
  Error: 'warning',
  Warning: 'warning',
  Notice: 'information',
  Informational: 'information',
  Debug: 'information',
};

/** Labels of this output's own, which no output field may take. */
const OWN_LABELS = ['alertname', 'eventsource', 'hostname', 'priority', 'rule', 'severity', 'source', 'tags'];

interface AlertmanagerConfig {
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
  const names = legalNames(
    fields.map(([name]) => name),
    toLabelName,
    OWN_LABELS,
  );
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
function toPriority(name: string): Priority | undefined {
  return parsePriority(name.trim()) ?? PRIORITIES[Number(name) - 1];
}

function severityOf(priority: Priority, custom: Record<string, string>): string {
  const own = Object.entries(custom).find(([name]) => toPriority(name) === priority);
  return own?.[1] ?? SEVERITIES[priority];
}

function* problems(config: AlertmanagerConfig): Generator<{ path: string; message: string; hint?: string }> {
  for (const [index, host] of config.hostport.entries()) {
    if (!/^https?:$/.test(URL.parse(host)?.protocol ?? '')) {
      yield { path: `hostport[${index}]`, message: 'expected a URL that starts with http:// or https://' };
    }
  }
  for (const name of Object.keys(config.extralabels)) {
    if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) continue;
    yield {
      path: `extralabels.${name}`,
      message: 'not a label name',
      hint: `did you mean ${toLabelName(name)}?`,
    };
  }
  for (const [name, severity] of Object.entries(config.customseveritymap)) {
    if (toPriority(name) && severity !== '') continue;
    yield { path: `customseveritymap.${name}`, message: 'expected a priority and its severity' };
  }
  if (!parseDropThresholds(config.dropeventthresholds)) {
    yield { path: 'dropeventthresholds', message: 'expected a list such as 1000:critical, 10:warning' };
  }
}

export default defineHttpOutput({
  name: 'alertmanager',
  title: 'Alertmanager',
  category: 'alerting',
  docs: 'Posts alerts to one or more Alertmanagers of Prometheus, see https://prometheus.io/docs/alerting/latest/alerts_api.',
  keys: {
    hostport: list(
      'Addresses; each one gets every alert, with a queue of its own. Setting it turns the output on.',
      [],
      { secret: true },
    ),
    endpoint: text('Path of the API.', '/api/v2/alerts'),
    expiresafter: integer(
      "Seconds after an alert's time at which it ends; 0: when Alertmanager's `resolve_timeout` is over.",
      0,
    ),
    extralabels: pairs('Further labels; they go before those of the alert.', { bareNames: true }),
    extraannotations: pairs('Further annotations; they go before those of the alert.', { bareNames: true }),
    customseveritymap: pairs('Severity by priority, `notice:info`, where the usual one does not fit.'),
    dropeventdefaultpriority: oneOf(
      "Least priority of Falco's alerts about dropped events when no threshold is passed.",
      ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'informational', 'debug'],
      'critical',
    ),
    dropeventthresholds: text(
      "Least priority of Falco's alerts about dropped events by how many more than a number there are.",
      '10000:critical, 1000:critical, 100:critical, 10:warning, 1:warning',
    ),
  },
  enabledBy: 'hostport',
  address: config => config.hostport[0] ?? '',
  check: config => [...problems(config)],
  split({ hostport, ...rest }) {
    const hosts = [...new Set(hostport)];
    if (hosts.length < 2) return undefined;
    const endings = legalNames(hosts, host => (URL.parse(host)?.host ?? '').replace(/[^A-Za-z0-9-]/g, '_'));
    return new Map(hosts.map(host => [endings.get(host)!, { ...rest, hostport: [host] }]));
  },
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  // Alertmanager groups alerts for seconds itself, so there is no need to wait; a backlog goes in large posts.
  batch: { items: 500, bytes: 1024 * 1024, waitMs: 0 },
  example: { hostport: ['http://alertmanager.example:9093'] },
});

function toRequest(alerts: readonly Alert[], config: AlertmanagerConfig) {
  return {
    url: joinUrl(config.hostport[0]!, config.endpoint),
    json: alerts.map(alert => toPostableAlert(alert, config)),
  };
}
