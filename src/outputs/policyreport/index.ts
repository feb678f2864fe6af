import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { flag, integer, text } from '../../core/keys.ts';
import { kubeconfigProblems } from '../_kit/cluster.ts';
import { PolicyReports } from './output.ts';
import { isReportable } from './report.ts';

export default defineOutput({
  name: 'policyreport',
  title: 'Policy Report',
  category: 'other',
  docs: 'Adds alerts to policy reports in the cluster, one per namespace and one for the cluster; they need the CRDs of https://github.com/kubernetes-sigs/wg-policy-prototypes.',
  http: true,
  keys: z.object({
    enabled: flag('Turns the output on.'),
    kubeconfig: text(
      'Kubeconfig file; empty inside the cluster, where the service account of the pod serves.',
    ),
    falconamespace: text(
      'Namespace whose report takes alerts about a namespace that is not there; empty for the own one.',
    ),
    maxevents: integer('Most results that a report keeps.', 1000),
    prunebypriority: flag('Whether a full report loses its least severe results first, not its oldest.'),
  }),
  enabled: config => config.enabled,
  check: ({ kubeconfig }) => kubeconfigProblems('kubeconfig', kubeconfig),
  clusterRules: [
    {
      apiGroups: ['wgpolicyk8s.io'],
      resources: ['policyreports', 'clusterpolicyreports'],
      verbs: ['get', 'list', 'create', 'update'],
    },
    { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
  ],
  takes: isReportable,
  // Many alerts cost one write; a second writer of ours would only be in the way of the first.
  batch: { items: 200, bytes: 400_000, waitMs: 50 },
  concurrency: 1,
  open: async (config, host) => new PolicyReports(config, host),
  templateBody: () => ({
    refused: 'reports hold the results of many alerts: a template for one has no place here',
  }),
  example: { enabled: true },
});
