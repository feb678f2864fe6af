/**
 * Policy reports: github.com/kubernetes-sigs/wg-policy-prototypes, API wgpolicyk8s.io/v1alpha2. Pure.
 */

import { isJsonObject, type JsonObject, type JsonValue } from '../../core/alert/json.ts';
import type { Alert, Priority } from '../../core/contract.ts';
import { parseInstant, ZERO_TIME } from '../../core/template/time.ts';
import { jsonBytes } from '../_kit/fit.ts';
import { toGoText } from '../_kit/go-text.ts';
import { byCodeUnit, truncateBytes } from '../_kit/text.ts';

/** etcd takes 1.5 MiB by default (etcd.io/docs/latest/dev-guide/limit), and the server adds to what it is sent. */
const MAX_REPORT_BYTES = 1_000_000;
/** So that one alert does not take the room of hundreds. */
const MAX_MESSAGE_BYTES = 32_768;
const MAX_PROPERTY_BYTES = 8_192;
const MAX_PROPERTIES_BYTES = 131_072;

/** From mild to grave. */
const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
type Severity = (typeof SEVERITIES)[number];
type Outcome = 'pass' | 'fail' | 'warn' | 'error' | 'skip';

const GRADES: Record<Priority, [severity: Severity, outcome: Outcome]> = {
  Emergency: ['critical', 'fail'],
  Alert: ['critical', 'fail'],
  Critical: ['critical', 'fail'],
  Error: ['high', 'fail'],
  Warning: ['medium', 'warn'],
  Notice: ['low', 'skip'],
  Informational: ['info', 'skip'],
  Debug: ['info', 'skip'],
};

/** Sources that tell of something in the cluster, by the names that Falco and falcosidekick know them by. */
const SOURCES: ReadonlySet<string> = new Set(['syscall', 'syscalls', 'k8saudit', 'k8s_audit']);

/** What the resources of Falco's audit rules are, by `ka.target.resource`: kind and API version of the objects. */
const KINDS: ReadonlyMap<string, readonly [kind: string, apiVersion: string]> = new Map([
  ['pods', ['Pod', 'v1']],
  ['services', ['Service', 'v1']],
  ['secrets', ['Secret', 'v1']],
  ['configmaps', ['ConfigMap', 'v1']],
  ['namespaces', ['Namespace', 'v1']],
  ['serviceaccounts', ['ServiceAccount', 'v1']],
  ['daemonsets', ['DaemonSet', 'apps/v1']],
  ['deployments', ['Deployment', 'apps/v1']],
  ['statefulsets', ['StatefulSet', 'apps/v1']],
  ['cronjobs', ['CronJob', 'batch/v1']],
  ['jobs', ['Job', 'batch/v1']],
  ['clusterroles', ['ClusterRole', 'rbac.authorization.k8s.io/v1']],
  ['clusterrolebindings', ['ClusterRoleBinding', 'rbac.authorization.k8s.io/v1']],
  ['roles', ['Role', 'rbac.authorization.k8s.io/v1']],
  ['rolebindings', ['RoleBinding', 'rbac.authorization.k8s.io/v1']],
]);

/** Whether an alert is one for a report. */
export function isReportable({ source }: Alert): boolean {
  return SOURCES.has(source);
}

/** The namespace that an alert is about; empty when it names none. */
export function namespaceOf({ outputFields }: Alert): string {
  const names = [outputFields['k8s.ns.name'], outputFields['ka.target.namespace']];
  return names.find(isNamespace) ?? '';
}

// A DNS label: kubernetes.io/docs/concepts/overview/working-with-objects/names. It becomes part of an address.
function isNamespace(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value);
}

/** The alert as a result in the report of a namespace, or in that of the cluster when it is empty. */
export function toResult(alert: Alert, namespace: string): JsonObject {
  const [severity, result] = GRADES[alert.priority];
  const { seconds, nanos } = parseInstant(alert.time) ?? ZERO_TIME;
  const subject = subjectOf(alert, namespace);
  return {
    source: 'Falco',
    policy: alert.source,
    rule: truncateBytes(alert.rule, MAX_PROPERTY_BYTES),
    category: 'SI - System and Information Integrity',
    severity,
    timestamp: { seconds, nanos },
    result,
    ...(subject && { resources: [subject] }),
    message: truncateBytes(alert.output, MAX_MESSAGE_BYTES),
    properties: propertiesOf(alert),
  };
}

/** The object that an alert is about; one of an unknown kind by its name alone, as falcosidekick has it. */
function subjectOf({ outputFields }: Alert, namespace: string): JsonObject | undefined {
  const field = (name: string) => {
    const value = outputFields[name];
    return typeof value === 'string' ? truncateBytes(value, MAX_PROPERTY_BYTES) : '';
  };
  const pod = field('k8s.pod.name');
  const resource = pod === '' ? field('ka.target.resource') : 'pods';
  const name = pod || field('ka.target.name') || field('ka.resp.name');
  if (resource === '' || name === '') return undefined;
  const [kind, apiVersion] = KINDS.get(resource) ?? [];
  return { ...(kind && { kind }), ...(namespace && { namespace }), name, ...(apiVersion && { apiVersion }) };
}

/** The output fields by name, those that there is room for. */
function propertiesOf({ outputFields }: Alert): JsonObject {
  const properties: Record<string, string> = {};
  let room = MAX_PROPERTIES_BYTES;
  for (const name of Object.keys(outputFields).sort(byCodeUnit)) {
    const value = truncateBytes(toGoText(outputFields[name]!), MAX_PROPERTY_BYTES);
    const size = jsonBytes(name) + jsonBytes(value) + ':,'.length;
    if (size > room) continue;
    room -= size;
    properties[name] = value;
  }
  return properties;
}

/** An empty report. */
export function newReport(namespace: string): JsonObject {
  return {
    kind: namespace === '' ? 'ClusterPolicyReport' : 'PolicyReport',
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    metadata: {
      name: reportName(namespace),
      labels: { 'app.kubernetes.io/managed-by': 'falcosidekick' },
    },
  };
}

export function reportName(namespace: string): string {
  return namespace === '' ? 'falco-cluster-policy-report' : 'falco-policy-report';
}

export interface Cap {
  /** Most results that a report keeps. */
  maxevents: number;
  /** Drops the oldest of the mildest results, not the oldest of all. */
  prunebypriority: boolean;
}

/**
 * The report with more results, within its cap.
 * @param again leaves out results that the report has: an earlier try may have got through without an answer
 * @returns undefined when there is nothing to add
 */
export function addResults(
  report: JsonObject,
  added: readonly JsonObject[],
  cap: Cap,
  again: boolean,
): JsonObject | undefined {
  const present = Array.isArray(report.results) ? (report.results as readonly JsonValue[]) : [];
  const known = new Set(again ? present.map(identity) : []);
  const missing = added.filter(result => !known.has(identity(result)));
  if (missing.length === 0) return undefined;
  const results = prune([...present, ...missing], cap);
  const summary: Record<Outcome, number> = { pass: 0, fail: 0, warn: 0, error: 0, skip: 0 };
  for (const result of results) {
    const outcome = isJsonObject(result) ? (result.result as Outcome) : undefined;
    if (outcome && Object.hasOwn(summary, outcome)) summary[outcome]++;
  }
  return { ...report, summary, results };
}

function identity(result: JsonValue): string {
  if (!isJsonObject(result)) return '';
  const { rule, timestamp, message, policy } = result;
  const { seconds, nanos } = isJsonObject(timestamp ?? null) ? (timestamp as JsonObject) : {};
  return JSON.stringify([policy, rule, seconds, nanos, message]);
}

/** Drops results until number and size are within bounds; the newest stays in any case. */
function prune(results: readonly JsonValue[], { maxevents, prunebypriority }: Cap): readonly JsonValue[] {
  const sizes = results.map(result => Buffer.byteLength(JSON.stringify(result)) + 1);
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  let count = results.length;
  const newest = results.length - 1;
  const order = results.map((_, index) => index).slice(0, newest);
  if (prunebypriority) order.sort((a, b) => gravity(results[a]!) - gravity(results[b]!) || a - b);
  const dropped = new Set<number>();
  for (const index of order) {
    if (count <= Math.max(1, maxevents) && bytes <= MAX_REPORT_BYTES) break;
    dropped.add(index);
    count--;
    bytes -= sizes[index]!;
  }
  return results.filter((_, index) => !dropped.has(index));
}

function gravity(result: JsonValue): number {
  return isJsonObject(result) ? SEVERITIES.indexOf(result.severity as Severity) : -1;
}
