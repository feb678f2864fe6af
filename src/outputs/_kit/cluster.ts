/** A client for the API server of a Kubernetes cluster. */
import { readFileSync } from 'node:fs';
import type { Host, HttpClient } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { type ClusterAccess, podAccess, readKubeconfig } from '../../core/kubeconfig.ts';
import { basicAuth } from './auth.ts';

/** Tokens of service accounts are replaced in their file; clients are to look again after a minute at most. */
const TOKEN_MS = 60_000;

/** A cluster that can be talked to. */
export interface Cluster {
  /** `https://host:6443`, no slash at the end. */
  server: string;
  /** Namespace of the kubeconfig's context or of the pod; empty when there is none. */
  namespace: string;
  /** Adds the credential to each request. */
  http: HttpClient;
}

/**
 * Reads a kubeconfig file and opens a client. With an empty name it is a client for the cluster that this process runs
 * in, as the pod's service account.
 * @throws Error with a sentence when the file cannot be used
 */
export function openCluster(kubeconfig: string, host: Host): Cluster {
  const access = kubeconfig === '' ? podAccess(process.env) : readKubeconfig(kubeconfig);
  if (kubeconfig === '' && access.tokenFile === '') {
    host.log.warn({}, 'there is no service account here: requests to the API server come from nobody');
  }
  const client = host.connect(access.tls);
  const authorization = authorizer(access, host);
  return {
    server: access.server,
    namespace: access.namespace,
    http: {
      send: async (request, until) => {
        const headers = { ...authorization(), ...request.headers };
        return client.send({ ...request, headers }, until);
      },
    },
  };
}

/** For `check`: says why a kubeconfig file cannot be used; an empty name is fine. */
export function kubeconfigProblems(path: string, file: string): { path: string; message: string }[] {
  try {
    if (file !== '') readKubeconfig(file);
    return [];
  } catch (error) {
    return [{ path, message: `cannot use this kubeconfig: ${(error as Error).message}` }];
  }
}

function authorizer(access: ClusterAccess, { clock }: Pick<Host, 'clock'>): () => Record<string, string> {
  const { token, tokenFile, username, password } = access;
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  if (tokenFile === '') return () => (token === '' ? basicAuth(username, password) : bearer(token));
  let known = token;
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.monotonic() - readAt >= TOKEN_MS) {
      try {
        known = readFileSync(tokenFile, 'utf8').trim();
        readAt = clock.monotonic();
      } catch (error) {
        if (known === '')
          throw new RetriableError('the token file cannot be read', { reason: 'auth', cause: error });
      }
    }
    return bearer(known);
  };
}
