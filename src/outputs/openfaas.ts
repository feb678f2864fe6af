import { z } from 'zod';
import { defineOutput } from '../core/contract.ts';
import { integer, text } from '../core/keys.ts';
import { KUBECONFIG, openService, serviceProblems } from './_kit/service.ts';

export default defineOutput({
  name: 'openfaas',
  title: 'OpenFaaS',
  category: 'function',
  docs: 'Calls a function of OpenFaaS with each alert as JSON, see https://docs.openfaas.com.',
  http: true,
  keys: z.object({
    functionname: text('Name of the function; setting it turns the output on.'),
    functionnamespace: text('Namespace of the function.', 'openfaas-fn'),
    gatewayservice: text('Service of the gateway.', 'gateway'),
    gatewaynamespace: text('Namespace of the gateway.', 'openfaas'),
    gatewayport: integer('Port of the gateway.', 8080, { min: 1, max: 65_535 }),
    kubeconfig: text(KUBECONFIG),
  }),
  enabled: config => config.functionname !== '',
  check: ({ kubeconfig, gatewayport: _, ...names }) => serviceProblems(kubeconfig, names),
  open: async (config, host) => {
    const { gatewaynamespace: namespace, gatewayservice: service } = config;
    const target = {
      namespace,
      service,
      port: config.gatewayport,
      host: `${service}.${namespace}`,
      path: `/function/${config.functionname}.${config.functionnamespace}`,
    };
    return openService(
      {
        target,
        kubeconfig: config.kubeconfig,
        // Which way has which headers is as falcosidekick has it.
        headers: (alert, way): Record<string, string> =>
          way === 'proxied'
            ? { 'content-type': 'application/json', 'event-id': alert.uuid }
            : { 'content-type': 'application/json; charset=utf-8' },
      },
      host,
    );
  },
  example: { functionname: 'falco-alert' },
});
