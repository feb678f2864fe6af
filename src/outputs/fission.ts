import { z } from 'zod';
import { defineOutput } from '../core/contract.ts';
import { integer, text } from '../core/keys.ts';
import { KUBECONFIG, openService, serviceProblems } from './_kit/service.ts';

/** Functions of these are called without their namespace; the second is what falcosidekick's files hold. */
const UNNAMED = new Set(['', 'default', 'fission-function']);

export default defineOutput({
  name: 'fission',
  title: 'Fission',
  category: 'function',
  docs: 'Calls a function of Fission with each alert as JSON, see https://fission.io/docs.',
  http: true,
  keys: z.object({
    function: text('Name of the function; setting it turns the output on.'),
    functionnamespace: text(
      'Namespace of the function; `default` and `fission-function` both stand for the default one.',
      'fission-function',
    ),
    routernamespace: text('Namespace of the router.', 'fission'),
    routerservice: text('Service of the router.', 'router'),
    routerport: integer('Port of the router.', 80, { min: 1, max: 65_535 }),
    kubeconfig: text(KUBECONFIG),
  }),
  enabled: config => config.function !== '',
  check: ({ kubeconfig, routerport: _, functionnamespace, ...names }) =>
    serviceProblems(kubeconfig, { ...names, ...(functionnamespace !== '' && { functionnamespace }) }),
  open: async (config, host) => {
    const { routernamespace: namespace, routerservice: service } = config;
    const within = UNNAMED.has(config.functionnamespace) ? '' : `/${config.functionnamespace}`;
    const target = {
      namespace,
      service,
      port: config.routerport,
      host: `${service}.${namespace}.svc.cluster.local`,
      path: `/fission-function${within}/${config.function}`,
    };
    const headers = (alert: { uuid: string }) => ({
      'content-type': 'application/json',
      'event-id': alert.uuid,
    });
    return openService({ target, kubeconfig: config.kubeconfig, headers }, host);
  },
  example: { function: 'falco-alert' },
});
