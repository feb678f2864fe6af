/** The kinds PolicyReport and ClusterPolicyReport, as far as Falco's alerts fill them. */
import type { Manifest } from '../helm.ts';

/** As it is read back. */
export interface Report {
  metadata: { name: string; labels: Record<string, string>; annotations?: Record<string, string> };
  summary: Record<string, number>;
  results: {
    rule: string;
    message: string;
    severity: string;
    result: string;
    timestamp: { seconds: number; nanos: number };
    resources?: { kind: string; namespace?: string; name: string }[];
    properties: Record<string, string>;
  }[];
}

const text = { type: 'string' };
const oneOf = (...values: string[]) => ({ type: 'string', enum: values });
const texts = { type: 'object', additionalProperties: text };

/** github.com/kubernetes-sigs/wg-policy-prototypes, policy-report/crd/v1alpha2. What is not named is left out. */
const schema = {
  type: 'object',
  properties: {
    apiVersion: text,
    kind: text,
    metadata: { type: 'object' },
    summary: {
      type: 'object',
      properties: Object.fromEntries(
        ['pass', 'fail', 'warn', 'error', 'skip'].map(outcome => [outcome, { type: 'integer' }]),
      ),
    },
    results: {
      type: 'array',
      items: {
        type: 'object',
        required: ['policy'],
        properties: {
          ...{ category: text, message: text, policy: text, rule: text, source: text, properties: texts },
          result: oneOf('pass', 'fail', 'warn', 'error', 'skip'),
          severity: oneOf('critical', 'high', 'low', 'medium', 'info'),
          timestamp: {
            type: 'object',
            required: ['nanos', 'seconds'],
            properties: {
              nanos: { type: 'integer', format: 'int32' },
              seconds: { type: 'integer', format: 'int64' },
            },
          },
          resources: {
            type: 'array',
            items: {
              type: 'object',
              properties: { apiVersion: text, kind: text, name: text, namespace: text, uid: text },
            },
          },
        },
      },
    },
  },
};

const definitionOf = (kind: string, scope: 'Namespaced' | 'Cluster'): Manifest => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${kind.toLowerCase()}s.wgpolicyk8s.io`,
    // The server guards names under k8s.io with this.
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests only' },
  },
  spec: {
    group: 'wgpolicyk8s.io',
    scope,
    names: {
      kind,
      listKind: `${kind}List`,
      plural: `${kind.toLowerCase()}s`,
      singular: kind.toLowerCase(),
    },
    versions: [{ name: 'v1alpha2', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
  },
});

export const REPORT_KINDS = [
  definitionOf('PolicyReport', 'Namespaced'),
  definitionOf('ClusterPolicyReport', 'Cluster'),
];
