import { z } from 'zod';
import { defineOutput } from '../core/contract.ts';
import { integer, text } from '../core/keys.ts';
import { KUBECONFIG, openService, serviceProblems } from './_kit/service.ts';

export default defineOutput({
  name: 'kubeless',
  title: 'Kubeless',
  category: 'function',
  docs: 'Calls a function of Kubeless, which is no longer developed, with each alert as JSON, see https://github.com/vmware-archive/kubeless.',
  http: true,
  keys: z.object({
    namespace: text('Namespace of the function; setting it and `function` turns the output on.'),
    function: text('Name of the function.'),
    port: integer('Port of the function.', 8080, { min: 1, max: 65_535 }),
    kubeconfig: text(KUBECONFIG),
  }),
  enabled: config => config.namespace !== '' && config.function !== '',
  check: ({ kubeconfig, port: _, ...names }) => serviceProblems(kubeconfig, names),
  open: async ({ namespace, function: service, port, kubeconfig }, host) => {
    const target = {
      namespace,
      service,
      port,
      host: `${service}.${namespace}.svc.cluster.local`,
      path: '/',
    };
    const headers = (alert: { uuid: string }) => ({
      'content-type': 'application/json',
      'event-id': alert.uuid,
      'event-type': 'falco',
      'event-namespace': namespace,
    });
    return openService({ target, kubeconfig, headers }, host);
  },
  example: { namespace: 'falco', function: 'falco-alert' },
});
