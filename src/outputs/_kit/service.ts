/**
 * Posting to a service in a Kubernetes cluster: by the service's name when Tiercel runs in that cluster, or from outside
 * through the API server (kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services) with a kubeconfig.
 */
import type { Alert, Host, Output } from '../../core/contract.ts';
import { kubeconfigProblems, openCluster } from './cluster.ts';
import { judge } from './http.ts';

/** A path at a service. */
export interface ServiceTarget {
  namespace: string;
  service: string;
  port: number;
  /** The service's name in the DNS of the cluster. */
  host: string;
  /** Begins with a slash. */
  path: string;
}

export interface ServiceOptions {
  target: ServiceTarget;
  /** File; empty: straight to the service. */
  kubeconfig: string;
  /** Headers for an alert, by the way that it takes. */
  headers(alert: Alert, way: 'direct' | 'proxied'): Record<string, string>;
}

/**
 * Opens an output that posts the alert as it is.
 * @throws Error with a sentence when the kubeconfig cannot be used
 */
export function openService({ target, kubeconfig, headers }: ServiceOptions, host: Host): Output {
  const { namespace, service, port, path } = target;
  const cluster = kubeconfig === '' ? undefined : openCluster(kubeconfig, host);
  const http = cluster?.http ?? host.http;
  const direct = `http://${target.host}:${port}`;
  const url = cluster
    ? `${cluster.server}/api/v1/namespaces/${namespace}/services/${service}:${port}/proxy${path}`
    : direct + path;
  return {
    async send([alert], { signal }) {
      const own = headers(alert!, cluster ? 'proxied' : 'direct');
      const request = { method: 'POST' as const, url, headers: own, body: alert!.bytes };
      judge(await http.send(request, signal), host.clock.now());
    },
    async probe(signal) {
      const probed = cluster ? `${cluster.server}/version` : `${direct}/`;
      const answer = await http.send({ method: 'GET', url: probed, headers: {}, body: undefined }, signal);
      // Of a function's own front page, any answer will do.
      if (cluster) judge(answer, host.clock.now());
    },
  };
}

/** For `check`: names that cannot be part of an address, and the kubeconfig. */
export function serviceProblems(
  kubeconfig: string,
  names: Readonly<Record<string, string>>,
): { path: string; message: string }[] {
  const wrong = Object.entries(names).filter(([, name]) => !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(name));
  return [
    ...wrong.map(([path]) => ({ path, message: 'expected a name of letters, digits, - and .' })),
    ...kubeconfigProblems('kubeconfig', kubeconfig),
  ];
}

/** For the key `kubeconfig`. */
export const KUBECONFIG =
  'Kubeconfig file with which to go through the API server, with its TLS settings; empty inside the cluster.';
