import { expect, test } from 'vitest';
import {
  containerOf,
  type Manifest,
  missingHelm,
  namesOf,
  only,
  podOf,
  quick,
  render,
  renderSet,
  secretTexts,
  valueSets,
  workloadOf,
} from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';

const volumesOf = (objects: Manifest[]) =>
  Object.fromEntries((podOf(objects).spec.volumes as Manifest[]).map(volume => [volume.name, volume]));
const mountsOf = (objects: Manifest[]) =>
  Object.fromEntries(
    (containerOf(objects).volumeMounts as Manifest[]).map(({ name, mountPath }) => [name, mountPath]),
  );
const variablesOf = (objects: Manifest[]) =>
  Object.fromEntries((containerOf(objects).env as Manifest[]).map(({ name, value }) => [name, value]));

describeWith('what every set of values renders', missingHelm(), () => {
  test('there are enough of them', () => {
    expect(valueSets.length).toBeGreaterThanOrEqual(25);
  });

  test.each(valueSets)('%s', async set => {
    const objects = await renderSet(set);
    for (const { kind, metadata } of objects) {
      const name = `${kind} ${metadata.name}`;
      if (set !== 'extras' || kind !== 'ConfigMap') {
        expect(metadata.labels, name).toMatchObject({
          'app.kubernetes.io/instance': 'falco',
          'app.kubernetes.io/managed-by': 'Helm',
        });
      }
      // `annotations: null` shows as a difference for ever in tools that compare.
      expect(metadata.annotations === undefined || typeof metadata.annotations === 'object', name).toBe(true);
      expect(metadata.annotations, name).not.toBeNull();
      expect(metadata.name.length, name).toBeLessThanOrEqual(63);
    }
    expect(new Set(namesOf(objects)).size).toBe(objects.length);

    const { selector, template } = workloadOf(objects).spec;
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
    for (const service of objects.filter(({ kind }) => kind === 'Service')) {
      expect(template.metadata.labels).toMatchObject(service.spec.selector);
      const ports = new Set((containerOf(objects).ports as Manifest[]).map(({ name }) => name));
      // A port with nothing behind it would only mislead.
      for (const { targetPort } of service.spec.ports) expect(ports).toContain(targetPort);
    }
    const mounted = (containerOf(objects).volumeMounts as Manifest[]).map(({ name }) => name);
    const claims = (workloadOf(objects).spec.volumeClaimTemplates ?? []).map(
      (one: Manifest) => one.metadata.name,
    );
    expect(Object.keys(volumesOf(objects)).concat(claims)).toEqual(expect.arrayContaining(mounted));

    // What Kubernetes calls restricted; see pod-security.test.ts for its own opinion.
    expect(containerOf(objects).securityContext).toMatchObject({ readOnlyRootFilesystem: true });
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(40);
  });
});

describeWith('the names', missingHelm(), () => {
  test('come from the release, with a Service under the name of the falcosidekick chart', async () => {
    expect(namesOf(await render({ release: 'falco' }))).toEqual([
      'ConfigMap falco-tiercel',
      'Pod falco-tiercel-test',
      'PodDisruptionBudget falco-tiercel',
      'Service falco-falcosidekick',
      'Service falco-tiercel',
      'Service falco-tiercel-headless',
      'ServiceAccount falco-tiercel',
      'StatefulSet falco-tiercel',
    ]);
    const services = async (release: string) =>
      namesOf(await render({ release })).filter(name => name.startsWith('Service '));
    expect(await services('tiercel')).toEqual([
      'Service tiercel',
      'Service tiercel-falcosidekick',
      'Service tiercel-headless',
    ]);
    expect(await services('falcosidekick')).toContain('Service falcosidekick');
  });

  test('can be those of the falcosidekick chart, selectors included', async () => {
    const objects = await renderSet('names', quick);
    expect(namesOf(objects)).toContain('Service falco-falcosidekick');
    expect(objects.filter(({ kind }) => kind === 'Service')).toHaveLength(2);
    expect(workloadOf(objects).spec.selector.matchLabels).toEqual({
      'app.kubernetes.io/name': 'falcosidekick',
      'app.kubernetes.io/instance': 'falco',
      'app.kubernetes.io/component': 'core',
    });
    for (const { kind, metadata } of objects) {
      expect(metadata.labels, kind).toMatchObject({ owner: 'sec' });
      expect(metadata.annotations, kind).toMatchObject({ note: 'x' });
    }
    expect(podOf(objects).metadata.labels).toMatchObject({ tier: 'edge' });
  });

  test('of the second Service can be chosen, or there is none', async () => {
    expect(namesOf(await renderSet('falco', quick))).toContain('Service falco-falcosidekick');
    const named = await render({ release: 'alerts', set: ['service.alias.name=falco-falcosidekick'] });
    expect(only(named, 'Service', 'falco-falcosidekick').spec.ports[0]).toMatchObject({ port: 2801 });
    expect(
      namesOf(await renderSet('node-port', quick)).filter(name => name.includes('falcosidekick')),
    ).toEqual([]);
  });
});

describeWith('the log', missingHelm(), () => {
  test('lies on a volume for each pod of a StatefulSet', async () => {
    const { kind, spec } = workloadOf(await renderSet('volume', quick));
    expect(kind).toBe('StatefulSet');
    expect(spec).toMatchObject({
      replicas: 3,
      serviceName: 'falco-tiercel-headless',
      podManagementPolicy: 'Parallel',
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
    });
    expect(spec.volumeClaimTemplates).toMatchObject([
      {
        metadata: { name: 'data', annotations: { backup: 'true' } },
        spec: {
          accessModes: ['ReadWriteOncePod'],
          storageClassName: 'fast',
          resources: { requests: { storage: '10Gi' } },
        },
      },
    ]);
    // 8 s before the signal, 90 s to drain, 10 s to close.
    expect(spec.template.spec.terminationGracePeriodSeconds).toBe(108);
  });

  test.each([
    ['memory', 'Deployment', { emptyDir: {} }],
    ['empty-dir', 'Deployment', { emptyDir: { sizeLimit: '2Gi' } }],
    ['existing-claim', 'StatefulSet', { persistentVolumeClaim: { claimName: 'tiercel-data' } }],
  ])('of %s: %s', async (set, kind, volume) => {
    const objects = await renderSet(set, quick);
    expect(workloadOf(objects).kind).toBe(kind);
    expect(volumesOf(objects).data).toEqual({ name: 'data', ...volume });
    expect(workloadOf(objects).spec.volumeClaimTemplates).toBeUndefined();
    expect(namesOf(objects).some(name => name.endsWith('-headless'))).toBe(kind === 'StatefulSet');
  });

  test('on NATS lets pods come and go; their volumes hold what comes while it is away', async () => {
    const objects = await renderSet('jetstream', quick);
    expect(workloadOf(objects).kind).toBe('Deployment');
    expect(workloadOf(objects).spec.replicas).toBeUndefined();
    expect(only(objects, 'HorizontalPodAutoscaler').spec).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name: 'falco-tiercel' },
      minReplicas: 2,
      maxReplicas: 10,
      metrics: [
        { resource: { name: 'cpu', target: { averageUtilization: 75 } } },
        { resource: { name: 'memory', target: { averageUtilization: 80 } } },
      ],
    });
    expect(only(objects, 'PodDisruptionBudget').spec).toMatchObject({ minAvailable: 1 });
    const kept = await renderSet('jetstream', { ...quick, set: ['persistence.enabled=true'] });
    expect(workloadOf(kept).kind).toBe('StatefulSet');
    expect(only(kept, 'HorizontalPodAutoscaler').spec.scaleTargetRef.kind).toBe('StatefulSet');
  });

  test('is where the daemon looks for it', async () => {
    const objects = await renderSet('existing-claim', quick);
    expect(mountsOf(objects).data).toBe('/data/tiercel');
    expect(variablesOf(objects).SPOOL_PATH).toBe('/data/tiercel');
  });
});

describeWith('settings', missingHelm(), () => {
  test('that are secret are in the Secret only', async () => {
    const objects = await renderSet('falcosidekick-ten-outputs', quick);
    const secret = secretTexts(only(objects, 'Secret'));
    expect(secret).toMatchObject({
      'slack.webhookurl': 'https://hooks.example.test/services/T/B/x',
      'elasticsearch.password': 'changeme',
      'aws.secretaccesskey': 'secretkey',
      'webhook.customheaders': 'Authorization:Bearer t0ken,X-A:1',
      'opsgenie.apikey': '0123456789',
    });
    const rest = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'));
    for (const text of Object.values(secret)) expect(rest).not.toContain(text);
    // Not secret: to be seen by whoever looks at the ConfigMap.
    expect(rest).toContain('#falco');
    expect(Object.keys(secret)).not.toContain('slack.channel');
  });

  test('are files that the daemon reads again, so only what wants a restart rolls the pods', async () => {
    const checksum = async (...set: string[]) =>
      podOf(await render({ set })).metadata.annotations['checksum/config'] as string;
    const before = await checksum();
    expect(await checksum('config.slack.webhookurl=https://a.example.test')).toBe(before);
    expect(await checksum('config.slack.minimumpriority=error')).toBe(before);
    expect(await checksum('config.log.format=json')).toBe(before);
    for (const change of [
      'config.listenport=2999',
      'config.spool.maxbytes=2GiB',
      'config.deadletters.maxage=1d',
      'config.tlsserver.deploy=true',
      'config.customtags=a',
      'config.extraEnv[0].name=A,config.extraEnv[0].value=b',
    ]) {
      expect(await checksum(change), change).not.toBe(before);
    }
    const onNats = (...more: string[]) =>
      checksum('config.spool.driver=jetstream', 'config.spool.servers=nats://a.example.test', ...more);
    const ofNats = await onNats();
    expect(await onNats('config.spool.servers=nats://b.example.test')).not.toBe(ofNats);
    expect(await onNats('config.spool.password=p')).not.toBe(await onNats('config.spool.password=q'));
    expect(await onNats('config.slack.webhookurl=https://a.example.test')).toBe(ofNats);
    const rolls = await checksum('reload=restart');
    expect(await checksum('reload=restart', 'config.slack.minimumpriority=error')).not.toBe(rolls);
    const byVariables = 'config.extraArgs={-c,/x}';
    expect(await checksum(byVariables)).not.toBe(await checksum(byVariables, 'config.slack.channel=a'));
  });

  test('come from Secrets that are there', async () => {
    const objects = await renderSet('secret-references', quick);
    expect(variablesOf(objects)).toMatchObject({
      SLACK_WEBHOOKURL_FILE: '/etc/tiercel/secrets/slack.webhookurl',
      WEBHOOK_CUSTOMHEADERS_AUTHORIZATION_FILE: '/etc/tiercel/secrets/webhook.customheaders.authorization',
    });
    expect(volumesOf(objects).config!.projected.sources).toContainEqual({
      secret: { name: 'alerting', items: [{ key: 'slack-url', path: 'secrets/slack.webhookurl' }] },
    });
    expect(containerOf(await renderSet('existing-secret', quick)).envFrom).toEqual([
      { secretRef: { name: 'alerting' } },
    ]);
  });

  test('that are variables keep their own form', async () => {
    const objects = await renderSet('extras', quick);
    expect(containerOf(objects).env).toEqual(
      expect.arrayContaining([
        { name: 'NODE_EXTRA_CA_CERTS', value: '/more/ca.pem' },
        { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', value: 'tenant=a' },
      ]),
    );
    expect(containerOf(objects).envFrom).toEqual([{ secretRef: { name: 'proxies', optional: true } }]);
    expect(namesOf(objects)).toEqual(
      expect.arrayContaining(['ConfigMap falco-extra', 'ConfigMap falco-tiercel-text']),
    );
    expect(podOf(objects).spec.initContainers).toHaveLength(1);
    expect(podOf(objects).spec.containers).toHaveLength(2);
    expect(mountsOf(objects).more).toBe('/more');
  });
});

describeWith('rights in the cluster', missingHelm(), () => {
  test('are none, without a token, when no output needs any', async () => {
    const objects = await renderSet('falcosidekick-ten-outputs', quick);
    expect(namesOf(objects).filter(name => /Role/.test(name))).toEqual([]);
    expect(podOf(objects).spec.automountServiceAccountToken).toBe(false);
    expect(only(objects, 'ServiceAccount').automountServiceAccountToken).toBe(false);
  });

  test('are those of the outputs that are on', async () => {
    const objects = await renderSet('policy-report', quick);
    expect(only(objects, 'ClusterRole', 'falco-falco-tiercel').rules).toEqual([
      {
        apiGroups: ['wgpolicyk8s.io'],
        resources: ['policyreports', 'clusterpolicyreports'],
        verbs: ['get', 'list', 'create', 'update'],
      },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    ]);
    expect(only(objects, 'ClusterRoleBinding')).toMatchObject({
      roleRef: { kind: 'ClusterRole', name: 'falco-falco-tiercel' },
      subjects: [{ kind: 'ServiceAccount', name: 'falco-tiercel', namespace: 'falco' }],
    });
    expect(podOf(objects).spec.automountServiceAccountToken).toBe(true);
    expect(only(objects, 'Role').rules).toHaveLength(1);
    // Turned on by a variable.
    const byVariable = await render({
      set: ['config.extraEnv[0].name=POLICYREPORT_ENABLED', 'config.extraEnv[0].value="true"'],
    });
    expect(only(byVariable, 'ClusterRole').rules).toHaveLength(2);
  });

  test('of clouds are annotations of the account', async () => {
    const objects = await renderSet('falcosidekick-cloud', quick);
    expect(only(objects, 'ServiceAccount').metadata.annotations).toEqual({
      note: 'x',
      'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/falco',
      'iam.gke.io/gcp-service-account': 'sa@project.example.test',
      'azure.workload.identity/client-id': '11',
    });
    expect(podOf(objects).metadata.labels).toMatchObject({ 'azure.workload.identity/use': 'true' });
    // The role comes with the account, so the daemon does not take it on once more.
    expect(JSON.stringify(only(objects, 'ConfigMap', 'sidekick'))).not.toContain('rolearn');
  });

  test('can be those of an account that is there', async () => {
    const objects = await renderSet('image', quick);
    expect(namesOf(objects).filter(name => name.startsWith('ServiceAccount'))).toEqual([]);
    expect(podOf(objects).spec).toMatchObject({
      serviceAccountName: 'shared',
      automountServiceAccountToken: true,
    });
  });
});

describeWith('TLS', missingHelm(), () => {
  const probes = (objects: Manifest[]) => {
    const { startupProbe, readinessProbe, livenessProbe } = containerOf(objects);
    return [startupProbe, readinessProbe, livenessProbe].map(probe => probe?.httpGet);
  };

  test('with client certificates: what the kubelet asks goes without TLS', async () => {
    const objects = await renderSet('tls', quick);
    expect(volumesOf(objects)['server-certificate']!.secret.items).toEqual([
      { key: 'tls.crt', path: 'server.crt' },
      { key: 'tls.key', path: 'server.key' },
      { key: 'ca.crt', path: 'ca.crt' },
    ]);
    expect(mountsOf(objects)).toMatchObject({
      'server-certificate': '/etc/certs/server',
      'client-certificate': '/etc/certs/client',
      trusted: '/etc/certs/trusted',
    });
    expect(probes(objects)).toEqual([
      { path: '/ping', port: 'http-notls', scheme: 'HTTP' },
      { path: '/readyz', port: 'http-notls', scheme: 'HTTP' },
      { path: '/ping', port: 'http-notls', scheme: 'HTTP' },
    ]);
    expect(only(objects, 'Service', 'falco-tiercel').spec.ports.map(({ port }: Manifest) => port)).toEqual([
      2801, 2810,
    ]);
    expect(only(objects, 'ServiceMonitor').spec.endpoints).toMatchObject([{ port: 'http-notls' }]);
  });

  test('without: probes and scrapes go over HTTPS', async () => {
    const objects = await renderSet('tls-existing-secret', quick);
    // An empty text is none, so /ping is served without TLS as in the falcosidekick chart.
    expect(probes(objects)).toEqual([
      { path: '/ping', port: 'http-notls', scheme: 'HTTP' },
      { path: '/readyz', port: 'http', scheme: 'HTTPS' },
      { path: '/ping', port: 'http-notls', scheme: 'HTTP' },
    ]);
    expect(only(objects, 'ServiceMonitor').spec.endpoints).toMatchObject([
      { port: 'http', scheme: 'https', tlsConfig: { insecureSkipVerify: true } },
    ]);
  });

  test('from the values of the falcosidekick chart', async () => {
    const objects = await renderSet('falcosidekick-own-file', quick);
    expect(secretTexts(only(objects, 'Secret', 'falco-tiercel-certs'))).toEqual({
      'server.crt': 'CRT',
      'server.key': 'KEY',
      'ca.crt': 'CA',
    });
    expect(probes(objects)[1]).toEqual({ path: '/ping', port: 'http-notls', scheme: 'HTTP' });
  });
});

describeWith('monitoring', missingHelm(), () => {
  test('scrapes each pod once', async () => {
    const objects = await renderSet('monitoring', quick);
    const monitor = only(objects, 'ServiceMonitor');
    expect(monitor.metadata).toMatchObject({ namespace: 'monitoring', labels: { release: 'prom' } });
    expect(monitor.spec.namespaceSelector).toEqual({ matchNames: ['falco'] });
    const { matchLabels } = monitor.spec.selector;
    const matching = objects.filter(
      ({ kind, metadata }) =>
        kind === 'Service' &&
        Object.entries(matchLabels).every(([key, value]) => metadata.labels[key] === value),
    );
    expect(matching.map(({ metadata }) => metadata.name)).toEqual(['falco-tiercel']);
    expect(monitor.spec.endpoints).toMatchObject([
      { port: 'http', path: '/metrics', interval: '15s', scrapeTimeout: '10s', honorLabels: true },
    ]);
  });

  test('has a dashboard for Grafana', async () => {
    const map = only(await renderSet('monitoring', quick), 'ConfigMap', 'falco-tiercel-dashboard');
    expect(map.metadata).toMatchObject({
      namespace: 'monitoring',
      labels: { grafana_dashboard: '1' },
      annotations: { grafana_dashboard_folder: 'Security' },
    });
    expect(JSON.parse(map.data['tiercel.json']).panels.length).toBeGreaterThan(10);
  });
});
