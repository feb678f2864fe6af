/** values.schema.json of the chart: draft 7, which every Helm 3 reads. */
import { isMap, isPair, isScalar, type Node, parseDocument } from 'yaml';
import { toJsonSchema } from '../../src/core/config/json-schema.ts';
import type { OutputDefinition } from '../../src/core/contract.ts';

type Schema = Record<string, unknown>;

/** files/falcosidekick-chart.yaml */
export interface ChartFacts {
  defaults: Record<string, unknown>;
  sectiondefaults: Record<string, unknown>;
  aliases: Record<string, string>;
  chartonly: string[];
  empty: Record<string, string>;
}

const text = { type: ['string', 'number', 'boolean', 'null'] };
const anyMap = { type: ['object', 'null'] };
const anyList = { type: ['array', 'null'] };

/** Values whose kind cannot be seen from their defaults; `null` and more keys are added to none of them. */
const SPECIAL: Record<string, Schema> = {
  replicaCount: { type: 'integer', minimum: 0 },
  imagePullSecrets: {
    type: ['array', 'null'],
    items: { anyOf: [{ type: 'string' }, { type: 'object', required: ['name'] }] },
  },
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'image.digest': { type: ['string', 'null'], pattern: '^(sha256:[0-9a-f]{64})?$' },
  reload: { enum: ['hot', 'restart'] },
  secrets: {
    type: ['object', 'null'],
    additionalProperties: {
      type: 'object',
      properties: { name: { type: 'string' }, key: { type: 'string' } },
      required: ['name', 'key'],
      additionalProperties: false,
    },
  },
  'service.type': { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
  'service.port': { type: 'integer', minimum: 1, maximum: 65_535 },
  'service.nodePort': { type: ['integer', 'string', 'null'] },
  'serviceAccount.automountServiceAccountToken': { type: ['boolean', 'string', 'null'] },
  'podDisruptionBudget.maxUnavailable': { type: ['integer', 'string', 'null'] },
  'podDisruptionBudget.minAvailable': { type: ['integer', 'string', 'null'] },
  'autoscaling.targetCPUUtilizationPercentage': { type: ['integer', 'null'] },
  'autoscaling.targetMemoryUtilizationPercentage': { type: ['integer', 'null'] },
  terminationGracePeriodSeconds: { type: ['integer', 'string', 'null'] },
  'prometheusRules.additionalAlerts': { type: ['array', 'string', 'null'] },
  extraObjects: { type: ['array', 'null'], items: { type: ['object', 'string'] } },
};

/** Maps of Kubernetes' own shape: whatever is in them is for the API server to judge. */
const OPEN = [
  'securityContext',
  'podSecurityContext',
  'resources',
  'service.annotations',
  'serviceMonitor.tlsConfig',
  'grafana.dashboards.labels',
  'probes.startup',
  'probes.readiness',
  'probes.liveness',
];

/** Values of the falcosidekick chart, and of the falco chart around it, that are no values of this one. */
const OTHERS: Record<string, Schema> = {
  global: {},
  enabled: { type: 'boolean' },
  fullfqdn: { type: 'boolean' },
  listenPort: text,
  listenport: text,
  'podSecurityPolicy.create': { type: 'boolean' },
  'prometheusRules.alerts.additionalAlerts': { type: ['object', 'array', 'string', 'null'] },
  'grafana.dashboards.configMaps.falcosidekick.name': text,
  'grafana.dashboards.configMaps.falcosidekick.namespace': text,
  'grafana.dashboards.configMaps.falcosidekick.folder': text,
  'grafana.dashboards.configMaps.falcosidekick.folderAnnotation': text,
  ...Object.fromEntries(
    [
      ...['enabled', 'replicaCount', 'loglevel', 'ttl', 'user', 'disableauth', 'existingSecret', 'allowcors'],
      ...['securityContext', 'priorityClassName', 'podLabels', 'podAnnotations', 'resources', 'nodeSelector'],
      ...['tolerations', 'affinity', 'image', 'initContainer', 'podSecurityContext', 'service', 'ingress'],
      ...['httproute', 'externalRedis', 'redis', 'customLabels', 'customAnnotations', 'revisionHistoryLimit'],
    ].map(key => [`webui.${key}`, {}]),
  ),
};

/** Keys of `config` that are for the chart, and those that are spelt with capitals there. */
const CONFIG: Record<string, Schema> = {
  existingSecret: { type: ['string', 'null'] },
  extraEnv: { type: ['array', 'null'], items: { type: 'object', required: ['name'] } },
  extraArgs: { type: ['array', 'null'], items: text },
  outputFieldFormat: text,
  'tlsserver.existingSecret': text,
  'tlsserver.servercrt': text,
  'tlsserver.serverkey': text,
  'tlsserver.cacrt': text,
  'alertmanager.expireafter': text,
  'cloudevents.extension': { type: ['string', 'object', 'null'] },
  'loki.grafanaDashboard': anyMap,
  'otlp.logs.extraenvvars': { type: ['array', 'object', 'string', 'null'] },
  'otlp.metrics.extraenvvars': { type: ['array', 'object', 'string', 'null'] },
  'otlp.traces.extraenvvars': { type: ['array', 'object', 'string', 'null'] },
  'aws.useirsa': { type: ['boolean', 'string', 'null'] },
  'azure.subscriptionID': text,
  'azure.resourceGroupName': text,
  'azure.podIdentityClientID': text,
  'azure.podIdentityName': text,
  'azure.workloadIdentityClientID': text,
  'azure.eventHub': anyMap,
  'gcp.workloadIdentityServiceAccount': text,
  'webhook.customHeaders': { type: ['object', 'string', 'null'] },
  'quickwit.customHeaders': { type: ['object', 'string', 'null'] },
  'sumologic.receiverURL': text,
  'sumologic.sourceCategory': text,
  'sumologic.sourceHost': text,
};

/** The schema of values that begin like `values`, the part of values.yaml that is written by hand. */
export function toValuesSchema(
  definitions: readonly OutputDefinition[],
  values: string,
  facts: ChartFacts,
): Schema {
  const root = parseDocument(values).contents as Node;
  const schema = schemaOf(root, []) as { properties: Schema };
  for (const [path, special] of Object.entries(OTHERS)) {
    place(schema, path.split('.'), { description: 'Of the falcosidekick chart.', ...special });
  }
  const { $defs, $schema: _, title: __, ...config } = lenient(toJsonSchema(definitions)) as Schema;
  for (const [path, special] of Object.entries(CONFIG))
    placeInConfig(config, $defs as Schema, path.split('.'), special);
  for (const [path, value] of Object.entries({ ...facts.defaults, ...facts.sectiondefaults }))
    setDefault(config, $defs as Schema, path.split('.'), value);
  schema.properties.config = { ...config, description: 'The configuration of the daemon.' };
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Values of Tiercel', ...schema, $defs };
}

function schemaOf(node: Node | null, path: string[]): Schema {
  const name = path.join('.');
  if (SPECIAL[name]) return SPECIAL[name];
  if (OPEN.includes(name)) return anyMap;
  if (isMap(node)) {
    if (node.items.length === 0) return anyMap;
    const properties: Schema = {};
    for (const pair of node.items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const key = String(pair.key.value);
      properties[key] = schemaOf(pair.value as Node | null, [...path, key]);
    }
    return { type: 'object', properties, additionalProperties: false };
  }
  if (!isScalar(node)) return anyList;
  if (typeof node.value === 'boolean') return { type: 'boolean' };
  if (typeof node.value === 'number') return { type: ['number', 'string', 'null'] };
  return text;
}

/**
 * What the file takes as text or number, the values take as either: all of falcosidekick's values are texts, and an
 * empty one is the same as none.
 */
function lenient(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(lenient);
  if (typeof node !== 'object' || node === null) return node;
  const schema = node as Schema;
  const { type, description, default: fallback } = schema;
  const about = {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
  };
  if (type === 'boolean') {
    return { ...about, enum: [true, false, 'true', 'false', 'yes', 'no', 'on', 'off', '1', '0', '', null] };
  }
  if (type === 'integer' || type === 'number') {
    return { ...schema, type: [type, 'string', 'null'], pattern: '^\\s*([+-]?\\d+(\\.\\d+)?)?\\s*$' };
  }
  if (Array.isArray(schema.enum)) {
    const words = (schema.enum as unknown[]).map(String);
    return { ...about, enum: [...new Set([...words, ...words.map(word => word.toUpperCase()), '']), null] };
  }
  if (type === 'string' && typeof schema.pattern === 'string' && !('$' in schema)) {
    const isReference = schema.pattern.startsWith('\\$');
    return isReference ? schema : { ...schema, type: ['string', 'null'], pattern: `^$|${schema.pattern}` };
  }
  if (Array.isArray(type)) return { ...schema, type: [...(type as string[]), 'null'] };
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, lenient(value)]));
  if (type === 'object' || type === 'array') inner.type = [type, 'null'];
  return inner;
}

function place(schema: Schema, [key, ...rest]: string[], special: Schema): void {
  const properties = schema.properties as Schema;
  if (rest.length === 0) {
    properties[key!] ??= special;
    return;
  }
  properties[key!] ??= { type: ['object', 'null'], properties: {}, additionalProperties: false };
  place(properties[key!] as Schema, rest, special);
}

/** The schema with the properties at the end of a path; outputs stand among the definitions. */
function target(config: Schema, defs: Schema, path: string[]): Schema | undefined {
  let at: Schema | undefined = config;
  for (const [depth, key] of path.entries()) {
    const direct: Schema | undefined = (at?.properties as Record<string, Schema> | undefined)?.[key];
    at = (defs[`output-${path.slice(0, depth + 1).join('.')}`] as Schema | undefined) ?? direct;
  }
  return at?.properties ? at : undefined;
}

function placeInConfig(config: Schema, defs: Schema, path: string[], special: Schema): void {
  const last = path.at(-1)!;
  // A section that takes anything takes this as well.
  const properties = target(config, defs, path.slice(0, -1))?.properties as Schema | undefined;
  if (properties) properties[last] = { description: 'Of the falcosidekick chart.', ...special };
}

function setDefault(config: Schema, defs: Schema, path: string[], value: unknown): void {
  const properties = target(config, defs, path.slice(0, -1))?.properties as
    | Record<string, Schema>
    | undefined;
  const key = path.at(-1)!;
  const found = properties?.[key];
  if (!found || found.$ref) return;
  properties[key] = { ...found, default: value };
}
