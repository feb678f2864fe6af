import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseKubeconfig, podAccess, readKubeconfig } from '../../src/core/kubeconfig.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';
const base64 = (text: string) => Buffer.from(text).toString('base64');

interface Parts {
  cluster?: object;
  user?: object;
  top?: object;
}

function configOf({ cluster, user, top }: Parts = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [
      { name: 'other', context: { cluster: 'none', user: 'none' } },
      { name: 'here', context: { cluster: 'c', user: 'u', namespace: 'apps' } },
    ],
    clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443/', ...cluster } }],
    users: [{ name: 'u', user: { ...user } }],
    ...top,
  });
}

const read = (parts?: Parts) => parseKubeconfig(configOf(parts), '/home/me/.kube');

describe('parseKubeconfig', () => {
  test('finds the cluster of the current context', () => {
    expect(read({ user: { token: 't' } })).toEqual({
      server: 'https://api.example:6443',
      namespace: 'apps',
      token: 't',
      tokenFile: '',
      username: '',
      password: '',
      tls: { verify: true, caFiles: [], certFile: '', keyFile: '', serverName: '', pem: {} },
    });
  });

  test('reads YAML', () => {
    const yaml =
      'current-context: a\ncontexts:\n- name: a\n  context: {cluster: b}\nclusters:\n- name: b\n  cluster: {server: "http://h:1/base/"}\n';
    expect(parseKubeconfig(yaml, '/')).toMatchObject({ server: 'http://h:1/base', token: '' });
  });

  test('takes the only context where none is current', () => {
    const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u' } }];
    expect(read({ top: { 'current-context': '', contexts } }).server).toBe('https://api.example:6443');
    expect(() => read({ top: { 'current-context': '' } })).toThrow('it names no context');
  });

  test('takes certificates from files beside it, or from the text itself, which counts more', () => {
    const files = read({
      cluster: {
        'certificate-authority': 'ca.crt',
        'tls-server-name': 'api',
        'insecure-skip-tls-verify': true,
      },
      user: { 'client-certificate': '/etc/me.crt', 'client-key': '../me.key', tokenFile: 'token' },
    });
    expect(files.tokenFile).toBe('/home/me/.kube/token');
    expect(files.tls).toMatchObject({
      verify: false,
      caFiles: ['/home/me/.kube/ca.crt'],
      certFile: '/etc/me.crt',
      keyFile: '/home/me/me.key',
      serverName: 'api',
    });
    const data = base64(PEM);
    const inline = read({
      cluster: { 'certificate-authority': 'ca.crt', 'certificate-authority-data': data },
      user: { 'client-certificate-data': data, 'client-key-data': data, 'client-key': 'me.key' },
    });
    expect(inline.tls).toMatchObject({
      caFiles: [],
      certFile: '',
      keyFile: '',
      pem: { ca: PEM, cert: PEM, key: PEM },
    });
  });

  test.each<[string, string, string]>([
    ['no map', '- 1', 'not a kubeconfig'],
    ['no YAML', 'token: "s3cret\nx', 'not a kubeconfig: it is not YAML'],
    ['no such context', configOf({ top: { 'current-context': 'gone' } }), 'it has no context called gone'],
    ['no such cluster', configOf({ top: { 'current-context': 'other' } }), 'it has no cluster called none'],
    ['no such user', configOf({ top: { users: [] } }), 'it has no user called u'],
    ['no server', configOf({ cluster: { server: 'api:6443' } }), 'the `server` of the cluster is not a URL'],
    [
      'a program to run',
      configOf({ user: { exec: { command: 'aws' } } }),
      '`exec` of a user is not supported',
    ],
    ['another person', configOf({ user: { token: 't', as: 'admin' } }), '`as` of a user is not supported'],
    [
      'no PEM',
      configOf({ user: { 'client-key-data': base64('s3cret') } }),
      '`client-key-data` is not in PEM format',
    ],
  ])('refuses %s', (_what, text, message) => {
    expect(() => parseKubeconfig(text, '/')).toThrow(new Error(message));
  });

  test('says that a file is missing', () => {
    expect(() => readKubeconfig('/nowhere/kubeconfig')).toThrow('the file cannot be read (ENOENT)');
  });
});

describe('inside a pod', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tiercel-pod-'));
    const files = { token: 'pod-token\n', 'ca.crt': PEM, namespace: 'falco\n' };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('the service account and its authority are used', () => {
    expect(podAccess({}, folder)).toMatchObject({
      server: 'https://kubernetes.default.svc',
      namespace: 'falco',
      tokenFile: join(folder, 'token'),
      tls: { verify: true, caFiles: [join(folder, 'ca.crt')] },
    });
  });

  test.each([
    ['10.0.0.1', '6443', 'https://10.0.0.1:6443'],
    ['fd00::1', '', 'https://[fd00::1]:443'],
  ])('the environment says where the server is: %s %s', (host, port, server) => {
    const env = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
    expect(podAccess(env, folder).server).toBe(server);
  });

  test('without a service account there is no token and no authority', () => {
    expect(podAccess({}, join(folder, 'none'))).toMatchObject({
      tokenFile: '',
      namespace: '',
      tls: { verify: true, caFiles: [] },
    });
  });
});
