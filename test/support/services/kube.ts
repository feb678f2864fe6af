/** A real API server of Kubernetes with its etcd, on loopback. Nothing runs pods. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import type { Manifest } from './helm.ts';
import { cacheFolder, freePorts, launch, scratch } from './process.ts';

const run = promisify(execFile);

/** The version that scripts/services.sh builds. */
export const KUBE_VERSION = '1.36.3';
const folder = join(cacheFolder(), `kube-${KUBE_VERSION}`);

/** Why there is no API server; undefined when there is one. */
export function missingKube(): string | undefined {
  return existsSync(join(folder, 'kube-apiserver'))
    ? undefined
    : `kube-apiserver ${KUBE_VERSION} is not there`;
}

export interface ApiAnswer {
  status: number;
  body: Manifest;
  /** What the server warns of, such as a pod that is not restricted. */
  warnings: string[];
}

export interface ApiServer {
  /** For Helm. */
  kubeconfig: string;
  url: string;
  caFile: string;
  /** Calls the API as a cluster's admin, or with another token. */
  call(
    method: string,
    path: string,
    body?: unknown,
    options?: { type?: string; token?: string },
  ): Promise<ApiAnswer>;
  /** Server-side apply of an object, strict about unknown fields; `dryRun` keeps nothing. */
  apply(object: Manifest, options?: { dryRun?: boolean }): Promise<ApiAnswer>;
  /** Makes a namespace where only pods that pass the restricted pod security standard can be. */
  namespace(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Plural names and whether a kind lives in a namespace, by group version and kind. */
type Kinds = Map<string, { plural: string; namespaced: boolean }>;

export async function startApiServer(): Promise<ApiServer> {
  const state = await scratch('kube');
  const [port, client, peer] = (await freePorts(3)) as [number, number, number];
  const pki = join(state.path, 'pki');
  await makeKeys(pki);
  const token = 'admin-of-the-tests';
  await writeFile(join(pki, 'tokens.csv'), `${token},admin,1,system:masters\n`);
  const etcdUrl = `http://127.0.0.1:${client}`;
  const etcd = await launch({
    command: join(folder, 'etcd'),
    args: [
      ...['--name', 't', '--data-dir', join(state.path, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl],
      ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-cluster', `t=http://127.0.0.1:${peer}`],
    ],
    ready: async () => (await request(`${etcdUrl}/health`)).statusCode === 200,
    withinMs: 30_000,
  });
  const url = `https://127.0.0.1:${port}`;
  const caFile = join(pki, 'ca.crt');
  const agent = new Agent({ connect: { ca: await readFile(caFile, 'utf8') } });
  const ready = async () => {
    const answer = await request(`${url}/readyz`, { dispatcher: agent });
    await answer.body.dump();
    return answer.statusCode === 200;
  };
  const server = await launch({
    command: join(folder, 'kube-apiserver'),
    args: [
      `--etcd-servers=${etcdUrl}`,
      ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`],
      '--endpoint-reconciler-type=none',
      ...[`--tls-cert-file=${join(pki, 'server.crt')}`, `--tls-private-key-file=${join(pki, 'server.key')}`],
      ...[`--client-ca-file=${caFile}`, `--token-auth-file=${join(pki, 'tokens.csv')}`],
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${join(pki, 'account.pub')}`,
      `--service-account-signing-key-file=${join(pki, 'account.key')}`,
      ...['--authorization-mode=Node,RBAC', '--service-cluster-ip-range=10.96.0.0/16'],
      // It waits for accounts that only the controller manager makes.
      '--disable-admission-plugins=ServiceAccount',
    ],
    ready,
    withinMs: 120_000,
  }).catch(async error => {
    await etcd.stop();
    throw error;
  });

  const call: ApiServer['call'] = async (method, path, body, options = {}) => {
    const answer = await request(url + path, {
      dispatcher: agent,
      method: method as 'GET',
      headers: {
        authorization: `Bearer ${options.token ?? token}`,
        ...(body !== undefined && { 'content-type': options.type ?? 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    // A path that is not served yet is answered with a sentence.
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      body: (text.startsWith('{') ? JSON.parse(text) : { message: text }) as Manifest,
      warnings: [answer.headers.warning ?? []].flat(),
    };
  };
  const kinds: Kinds = new Map();
  const kubeconfig = join(state.path, 'kubeconfig');
  await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(url, caFile, token)));
  return {
    kubeconfig,
    url,
    caFile,
    call,
    apply: async (object, { dryRun = false } = {}) => {
      const query = `fieldManager=tests&force=true&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
      const path = await pathOf(object, kinds, call);
      return call('PATCH', `${path}?${query}`, object, { type: 'application/apply-patch+yaml' });
    },
    namespace: async name => {
      const labels = Object.fromEntries(
        ['enforce', 'warn'].map(mode => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
      );
      const { status, body } = await call('POST', '/api/v1/namespaces', { metadata: { name, labels } });
      if (status !== 201) throw new Error(JSON.stringify(body));
    },
    stop: async () => {
      await agent.close();
      await server.stop();
      await etcd.stop();
      await state.remove();
    },
  };
}

function kubeconfigOf(server: string, caFile: string, token: string) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
}

/** Where an object is, asked of the server's discovery. */
async function pathOf(object: Manifest, kinds: Kinds, call: ApiServer['call']): Promise<string> {
  const { apiVersion, kind, metadata } = object;
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const id = `${apiVersion} ${kind}`;
  if (!kinds.has(id)) {
    const { body } = await call('GET', base);
    for (const one of (body.resources ?? []) as Manifest[]) {
      if (!one.name.includes('/')) {
        kinds.set(`${apiVersion} ${one.kind}`, { plural: one.name, namespaced: one.namespaced });
      }
    }
  }
  const known = kinds.get(id);
  if (!known) throw new Error(`the API server knows no ${id}`);
  const place = known.namespaced ? `/namespaces/${metadata.namespace}` : '';
  return `${base}${place}/${known.plural}/${metadata.name}`;
}

/** An authority, the certificate of the server, and the key that signs tokens of accounts. */
async function makeKeys(pki: string): Promise<void> {
  await mkdir(pki, { recursive: true });
  const at = (name: string) => join(pki, name);
  const openssl = (...args: string[]) => run('openssl', args);
  const key = (name: string) =>
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at(name));
  await Promise.all([key('ca.key'), key('server.key'), key('account.key')]);
  await openssl('ec', '-in', at('account.key'), '-pubout', '-out', at('account.pub'));
  await openssl(
    ...['req', '-x509', '-new', '-key', at('ca.key'), '-days', '2', '-subj', '/CN=ca', '-out', at('ca.crt')],
  );
  await openssl(
    'req',
    '-new',
    '-key',
    at('server.key'),
    '-subj',
    '/CN=kube-apiserver',
    '-out',
    at('server.csr'),
  );
  await writeFile(at('server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  await openssl(
    ...[
      'x509',
      '-req',
      '-in',
      at('server.csr'),
      '-CA',
      at('ca.crt'),
      '-CAkey',
      at('ca.key'),
      '-CAcreateserial',
    ],
    ...['-days', '2', '-extfile', at('server.ext'), '-out', at('server.crt')],
  );
}
