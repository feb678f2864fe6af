import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outputs } from '../../src/outputs/index.ts';
import { until } from '../e2e/support.ts';
import { runProgram } from '../support/run-program.ts';
import {
  CHART,
  chartArguments,
  containerOf,
  helm,
  helmProgram,
  type Manifest,
  missingHelm,
  parseManifests,
  renderSet,
  valueSets,
  valuesFile,
  workloadOf,
} from '../support/services/helm.ts';
import { type ApiServer, missingKube, startApiServer } from '../support/services/kube.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';

describeWith('on a real API server', missingHelm() ?? missingKube(), () => {
  let server: ApiServer;
  let namespaces = 0;

  beforeAll(async () => {
    server = await startApiServer();
    await server.namespace('monitoring');
    const crds = parseManifests(await readFile(new URL('fixtures/crds.yaml', import.meta.url), 'utf8'));
    for (const crd of crds) {
      expect((await server.apply(crd)).status).toBe(201);
      const { group, names, versions } = crd.spec;
      const path = `/apis/${group}/${versions[0].name}/${names.plural}`;
      await until(`${names.plural} are served`, async () => (await server.call('GET', path)).status === 200);
    }
  }, 180_000);
  afterAll(() => server?.stop());

  async function freshNamespace(): Promise<string> {
    const name = `space-${++namespaces}`;
    await server.namespace(name);
    return name;
  }

  async function install(command: string, namespace: string, files: string[], set: string[] = []) {
    const { code, stdout, stderr } = await helm(
      [command, ...chartArguments({ namespace, files, set, validated: false })],
      server.kubeconfig,
    );
    if (code !== 0) throw new Error(stderr);
    return stdout.slice(stdout.indexOf('NOTES:'));
  }

  describe.each(valueSets)('%s', set => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await freshNamespace();
    });
    const objectsOf = () => renderSet(set, { namespace, validated: false });

    test('passes the dry run of every object, strictly', async () => {
      for (const object of await objectsOf()) {
        object.metadata.namespace ??= namespace;
        const { status, body } = await server.apply(object, { dryRun: true });
        expect(status, `${object.kind} ${object.metadata.name}: ${body.message}`).toBe(201);
      }
    });

    test('is installed by Helm, changed, and taken away', async () => {
      await install('install', namespace, [valuesFile(set)]);
      await install('upgrade', namespace, [valuesFile(set)], ['podAnnotations.changed=now']);
      const path = `/apis/apps/v1/namespaces/${namespace}`;
      const [sets, deployments] = await Promise.all(
        ['statefulsets', 'deployments'].map(
          async kind => (await server.call('GET', `${path}/${kind}`)).body.items,
        ),
      );
      const found = [...sets, ...deployments] as Manifest[];
      expect(found).toHaveLength(1);
      expect(found[0]!.spec.template.metadata.annotations).toMatchObject({ changed: 'now' });
      const { code } = await helm(['uninstall', 'falco', '--namespace', namespace], server.kubeconfig);
      expect(code).toBe(0);
    });

    test('makes a pod that the restricted pod security standard admits', async () => {
      const objects = await objectsOf();
      const { metadata, spec } = workloadOf(objects).spec.template as Manifest;
      // What the values bring in beside the daemon is the business of whoever brings it; the class has to be there.
      const { initContainers: _, runtimeClassName: __, priorityClassName: ___, ...rest } = spec as Manifest;
      const own = { ...rest, containers: [containerOf(objects)], volumes: rest.volumes ?? [] };
      own.volumes = own.volumes.concat(
        (workloadOf(objects).spec.volumeClaimTemplates ?? []).map(({ metadata: claim }: Manifest) => ({
          name: claim.name,
          persistentVolumeClaim: { claimName: `${claim.name}-0` },
        })),
      );
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace, labels: metadata.labels },
        spec: own,
      };
      const { status, body, warnings } = await server.apply(pod);
      expect(status, body.message).toBe(201);
      expect(warnings).toEqual([]);
    });
  });

  test('a pod that is not restricted would be refused', async () => {
    const namespace = await freshNamespace();
    const { status, body } = await server.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    });
    expect(status).toBe(403);
    expect(body.message).toContain('restricted');
  });

  test('a Secret that says the same as the values is told of', async () => {
    const namespace = await freshNamespace();
    const secret = (data: Record<string, string>) =>
      server.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'alerting', namespace },
        stringData: data,
      });
    const set = [
      'config.existingSecret=alerting',
      'config.slack.webhookurl=https://x.example.test',
      'config.slack.channel=a',
    ];
    expect(await install('install', namespace, [], set)).toMatch(/Secret alerting .* is not there yet/);
    await secret({
      SLACK_WEBHOOKURL: 'https://y.example.test',
      SLACK_CHANNEL: 'b',
      LOKI_HOSTPORT: 'http://loki',
    });
    await expect(install('upgrade', namespace, [], set)).rejects.toThrow(
      'the Secret alerting (config.existingSecret) and the values both set SLACK_CHANNEL, SLACK_WEBHOOKURL: leave one of them',
    );
  });

  test.each([
    ['of variables', ['config.existingSecret=alerting']],
    [
      'of the log',
      [
        'config.spool.driver=jetstream',
        'config.spool.servers=nats://nats.example.test',
        'secrets.spool\\.password.name=alerting',
        'secrets.spool\\.password.key=OPSGENIE_APIKEY',
      ],
    ],
  ])('a changed Secret of one’s own, %s, rolls the pods at the next upgrade', async (_name, set) => {
    const namespace = await freshNamespace();
    const checksum = async (command: string, token: string) => {
      const metadata = { name: 'alerting', namespace };
      await server.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata,
        stringData: { OPSGENIE_APIKEY: token },
      });
      await install(command, namespace, [], set);
      const { body } = await server.call(
        'GET',
        `/apis/apps/v1/namespaces/${namespace}/statefulsets/falco-tiercel`,
      );
      return body.spec.template.metadata.annotations['checksum/config'] as string;
    };
    const first = await checksum('install', 'a');
    expect(await checksum('upgrade', 'a')).toBe(first);
    expect(await checksum('upgrade', 'b')).not.toBe(first);
  });

  test('the account may do what the outputs that are on do, and nothing else', async () => {
    const namespace = await freshNamespace();
    await install('install', namespace, [valuesFile('policy-report')]);
    const spec = { audiences: ['https://kubernetes.default.svc.cluster.local'], expirationSeconds: 600 };
    const { body } = await server.call(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/falco-tiercel/token`,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
    );
    const token = body.status.token as string;
    const status = async (method: string, path: string, object?: unknown) =>
      (await server.call(method, path, object, { token })).status;
    const api = '/apis/wgpolicyk8s.io/v1alpha2';
    const report = {
      apiVersion: 'wgpolicyk8s.io/v1alpha2',
      kind: 'PolicyReport',
      metadata: { name: 'r', namespace },
    };
    expect(await status('GET', `${api}/clusterpolicyreports?limit=1`)).toBe(200);
    expect(await status('POST', `${api}/namespaces/${namespace}/policyreports`, report)).toBe(201);
    expect(await status('GET', `${api}/namespaces/${namespace}/policyreports/r`)).toBe(200);
    expect(await status('GET', `/api/v1/namespaces/${namespace}`)).toBe(200);
    expect(await status('DELETE', `${api}/namespaces/${namespace}/policyreports/r`)).toBe(403);
    expect(await status('GET', `/api/v1/namespaces/${namespace}/secrets`)).toBe(403);
    expect(outputs.filter(({ clusterRules }) => clusterRules).map(({ name }) => name)).toEqual([
      'policyreport',
    ]);
  });

  describe.each([
    ['on volumes', 'persistence.enabled=true', 'StatefulSet'],
    ['without', 'persistence.enabled=false', 'Deployment'],
  ])('a release of the falcosidekick chart is upgraded, %s', (_, persistence, kind) => {
    const labels = {
      'app.kubernetes.io/name': 'falcosidekick',
      'app.kubernetes.io/instance': 'falco',
      'app.kubernetes.io/component': 'core',
    };

    test.each([
      ['under its names', ['nameOverride=falcosidekick'], 'falco-falcosidekick'],
      ['under new names', [], 'falco-tiercel'],
    ])('%s', async (__, set, name) => {
      const namespace = await freshNamespace();
      const old = fileURLToPath(new URL('fixtures/falcosidekick-like', import.meta.url));
      const at = ['--namespace', namespace];
      expect((await helm(['install', 'falco', old, ...at], server.kubeconfig)).code).toBe(0);
      const service = `/api/v1/namespaces/${namespace}/services/falco-falcosidekick`;
      const before = (await server.call('GET', service)).body;
      await install('upgrade', namespace, [valuesFile('falcosidekick-slack')], [...set, persistence]);

      // Falco sends to the same address, and somebody is there.
      const after = (await server.call('GET', service)).body;
      expect(after.metadata.uid).toBe(before.metadata.uid);
      expect(after.spec.clusterIP).toBe(before.spec.clusterIP);
      const apps = `/apis/apps/v1/namespaces/${namespace}`;
      const found = (await server.call('GET', `${apps}/${kind.toLowerCase()}s/${name}`)).body;
      expect(found.spec.template.metadata.labels).toMatchObject(after.spec.selector);
      if (name === 'falco-falcosidekick') expect(found.spec.selector.matchLabels).toEqual(labels);
      // Nothing of the old one runs on, or has rights.
      const deployments = (await server.call('GET', `${apps}/deployments`)).body.items as Manifest[];
      expect(deployments.map(one => one.spec.template.spec.containers[0].name)).not.toContain(
        'falcosidekick',
      );
      const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`;
      expect((await server.call('GET', roles)).body.items).toEqual([]);
    });
  });

  test('the commands of the page lead from a release of the falcosidekick chart to this one', async () => {
    const namespace = await freshNamespace();
    const old = fileURLToPath(new URL('fixtures/falcosidekick-like', import.meta.url));
    const folder = await scratch('way');
    const page = await readFile(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
    const commands = /```sh\n(helm get values falcosidekick .*?)```/s.exec(page)![1]!;
    const run = (script: string) =>
      runProgram('sh', ['-ec', script], {
        env: {
          KUBECONFIG: server.kubeconfig,
          PATH: `${dirname(helmProgram)}:${process.env.PATH}`,
          HOME: folder.path,
        },
      });
    try {
      const value = 'config.slack.webhookurl=https://x.example.test';
      await run(`helm install falcosidekick ${old} -n ${namespace} --set ${value}`);
      const { code, stderr } = await run(
        `cd ${folder.path}; ln -s ${dirname(CHART)} charts\n${commands.replaceAll('-n falco', `-n ${namespace}`)}`,
      );
      expect(code, stderr).toBe(0);
    } finally {
      await folder.remove();
    }
    const path = `/apis/apps/v1/namespaces/${namespace}/statefulsets/falcosidekick`;
    const { body } = await server.call('GET', path);
    expect(body.spec.template.spec.containers[0].image).toMatch(/^registry\.example\.com\/tiercel:/);
  });

  describe('the notes', () => {
    const notes = async (files: string[], set: string[] = []) =>
      install('install', await freshNamespace(), files, set);

    test('hold the block for Falco', async () => {
      const text = await notes([]);
      expect(text).toMatch(/url: "http:\/\/falco-tiercel\.space-\d+\.svc:2801\/"/);
      expect(text).toContain('json_output: true');
      expect(text).toContain('The Service falco-falcosidekick leads here as well');
      expect(text).not.toContain('To know:');
    });

    test('say how Falco gets in, and never a secret', async () => {
      const text = await notes([valuesFile('restart')]);
      expect(text).toMatch(/http:\/\/falco-tiercel\.space-\d+\.svc:2801\/<auth\.path>/);
      expect(text).not.toMatch(/s3gment|t0ken|adm1n/);
      const tls = await notes([valuesFile('tls')]);
      expect(tls).toMatch(/url: "https:\/\/falco-tiercel\.space-\d+\.svc:2801\/"/);
      expect(tls).toMatch(/mtls: true\n\s+client_cert:/);
    });

    test.each([
      ['falcosidekick-webui', /webui\.enabled: this chart has no web UI/],
      ['falcosidekick-cloud', /image\.repository names the image of falcosidekick/],
      ['falcosidekick-cloud', /podSecurityPolicy\.create/],
      ['falcosidekick-cloud', /podIdentity/],
      ['falcosidekick-cloud', /grafanaDashboard/],
      ['falcosidekick-own-file', /resources\.limits\.memory is 128Mi/],
      ['falco', /fullfqdn and listenPort/],
      ['memory', /alerts that wait are lost/],
      ['empty-dir', /persistence\.enabled is false/],
    ])('of %s tell of %s', async (set, message) => {
      expect(await notes([valuesFile(set)])).toMatch(message);
    });

    test('warn of what loses alerts, or finds nobody', async () => {
      const text = await notes(
        [],
        ['config.kafka.requiredacks=none', 'config.alertmanager.endpoint=/api/v1/alerts'],
      );
      expect(text).toMatch(/kafka\.requiredacks is NONE/);
      expect(text).toMatch(/no \/api\/v1 since 0\.27/);
    });
  });
});
