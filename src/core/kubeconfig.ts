/**
 * Where a cluster's API server is and how to show it who we are: from a kubeconfig file
 * (kubernetes.io/docs/reference/config-api/kubeconfig.v1), or inside the cluster from what each pod is given
 * (kubernetes.io/docs/tasks/run-application/access-api-from-pod).
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { ServerTls } from './contract.ts';
import { isPem } from './pem.ts';

/** Access to one cluster. */
export interface ClusterAccess {
  /** `https://host:6443`, no slash at the end. */
  server: string;
  tls: ServerTls;
  /** Namespace of the context; empty when it names none. */
  namespace: string;
  /** A file wins over a token, which wins over user name and password; all empty: the certificate, or nobody. */
  tokenFile: string;
  token: string;
  username: string;
  password: string;
}

/**
 * Reads a kubeconfig file.
 * @throws Error with a sentence that holds nothing of the file's content
 */
export function readKubeconfig(file: string): ClusterAccess {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`the file cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  return parseKubeconfig(text, dirname(file));
}

/**
 * Access to the cluster of the current context.
 * @param folder what paths in the text are relative to
 * @throws Error as readKubeconfig does
 */
export function parseKubeconfig(text: string, folder: string): ClusterAccess {
  const file = toMap(readYaml(text));
  const context = named(file, 'context', textOf(file, 'current-context') || onlyName(file.contexts));
  const cluster = named(file, 'cluster', textOf(context, 'cluster'));
  const user = textOf(context, 'user') === '' ? {} : named(file, 'user', textOf(context, 'user'));
  for (const key of ['exec', 'auth-provider', 'as', 'as-uid', 'as-groups', 'as-user-extra']) {
    // Left out, it would act with other rights than meant.
    if (user[key] !== undefined) throw new Error(`\`${key}\` of a user is not supported`);
  }

  const path = (from: Fields, key: string) => {
    const found = textOf(from, key);
    return found === '' ? '' : resolve(folder, found);
  };
  // Given both ways, the data counts, as for kubectl.
  const pem = {
    ca: pemOf(cluster, 'certificate-authority-data'),
    cert: pemOf(user, 'client-certificate-data'),
    key: pemOf(user, 'client-key-data'),
  };
  const caFile = pem.ca === undefined ? path(cluster, 'certificate-authority') : '';
  return {
    server: serverOf(cluster),
    tls: {
      verify: cluster['insecure-skip-tls-verify'] !== true,
      caFiles: caFile === '' ? [] : [caFile],
      certFile: pem.cert === undefined ? path(user, 'client-certificate') : '',
      keyFile: pem.key === undefined ? path(user, 'client-key') : '',
      serverName: textOf(cluster, 'tls-server-name'),
      pem,
    },
    namespace: textOf(context, 'namespace'),
    tokenFile: path(user, 'tokenFile'),
    token: textOf(user, 'token'),
    username: textOf(user, 'username'),
    password: textOf(user, 'password'),
  };
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Access to the cluster that this process runs in, as the pod's service account. Without one (`tokenFile` is empty
 * then) requests come from nobody.
 * @param folder where the service account's files are mounted
 */
export function podAccess(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = SERVICE_ACCOUNT,
): ClusterAccess {
  const host = env.KUBERNETES_SERVICE_HOST ?? '';
  const port = env.KUBERNETES_SERVICE_PORT || '443';
  const address = host.includes(':') ? `[${host}]` : host;
  const file = (name: string) => (existsSync(join(folder, name)) ? join(folder, name) : '');
  const [caFile, tokenFile, namespaceFile] = ['ca.crt', 'token', 'namespace'].map(file);
  return {
    server: host === '' ? 'https://kubernetes.default.svc' : `https://${address}:${port}`,
    tls: { verify: true, caFiles: caFile ? [caFile] : [], certFile: '', keyFile: '', serverName: '' },
    namespace: namespaceFile ? readFileSync(namespaceFile, 'utf8').trim() : '',
    tokenFile: tokenFile ?? '',
    token: '',
    username: '',
    password: '',
  };
}

type Fields = Record<string, unknown>;

function readYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    // The parser's words quote the text.
    throw new Error('not a kubeconfig: it is not YAML');
  }
}

function toMap(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error('not a kubeconfig');
}

function textOf(from: Fields, key: string): string {
  const value = from[key];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The entry of that name in the list of contexts, clusters or users. */
function named(file: Fields, kind: 'context' | 'cluster' | 'user', name: string): Fields {
  const list = file[`${kind}s`];
  const entry = Array.isArray(list) ? list.map(toMap).find(item => textOf(item, 'name') === name) : undefined;
  if (!entry) throw new Error(name === '' ? `it names no ${kind}` : `it has no ${kind} called ${name}`);
  return toMap(entry[kind] ?? {});
}

function onlyName(list: unknown): string {
  return Array.isArray(list) && list.length === 1 ? textOf(toMap(list[0]), 'name') : '';
}

function serverOf(cluster: Fields): string {
  const url = URL.parse(textOf(cluster, 'server'));
  if (!url || !/^https?:$/.test(url.protocol)) throw new Error('the `server` of the cluster is not a URL');
  return url.href.replace(/\/+$/, '');
}

function pemOf(from: Fields, key: string): string | undefined {
  const text = textOf(from, key);
  if (text === '') return undefined;
  const pem = Buffer.from(text, 'base64').toString();
  if (!isPem(pem)) throw new Error(`\`${key}\` is not in PEM format`);
  return pem;
}
