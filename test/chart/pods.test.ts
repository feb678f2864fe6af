/** What the pods are made of, where they run and how they end. */
import { expect, test } from 'vitest';
import {
  containerOf,
  missingHelm,
  namesOf,
  only,
  podOf,
  quick,
  render,
  renderSet,
  workloadOf,
} from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';

describeWith('pods', missingHelm(), () => {
  test('are placed where the values say', async () => {
    const { spec } = podOf(await renderSet('scheduling', quick));
    expect(spec).toMatchObject({
      priorityClassName: 'system-cluster-critical',
      runtimeClassName: 'gvisor',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      dnsPolicy: 'ClusterFirst',
      hostAliases: [{ ip: '192.0.2.1', hostnames: ['kafka.example.test'] }],
    });
    const [zone, host] = spec.topologySpreadConstraints;
    expect(zone.labelSelector.matchLabels).toMatchObject({ 'app.kubernetes.io/instance': 'falco' });
    expect(host.labelSelector.matchLabels).toEqual({ own: 'selector' });
  });

  test('have labels and annotations that are texts, each once, whatever the values write', async () => {
    const objects = await render({
      set: [
        'customLabels.team=42',
        'customLabels.tier=a',
        'podLabels.tier=b',
        'podAnnotations.inject=false',
        'nodeSelector.gpu=true',
        'service.annotations.scrape=true',
        'serviceAccount.annotations.number=12345678',
        'persistence.annotations.backup=true',
      ],
    });
    const { metadata, spec } = podOf(objects);
    expect(metadata.labels).toMatchObject({ team: '42', tier: 'b' });
    expect(metadata.annotations).toMatchObject({ inject: 'false' });
    expect(spec.nodeSelector).toEqual({ gpu: 'true' });
    for (const { metadata } of [...objects, ...workloadOf(objects).spec.volumeClaimTemplates]) {
      const texts = Object.values({ ...metadata.labels, ...metadata.annotations });
      expect(texts.filter(text => typeof text !== 'string')).toEqual([]);
    }
  });

  test.each(['resources', 'service.labels', 'serviceAccount.annotations', 'podSecurityContext'])(
    'come about without %s',
    async path => {
      expect(namesOf(await render({ set: [`${path}=null`] }))).toEqual(namesOf(await render()));
    },
  );

  test('leave one at a time, after a wait without a shell', async () => {
    const objects = await render();
    expect(only(objects, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
    expect(containerOf(objects).lifecycle.preStop).toEqual({ sleep: { seconds: 5 } });
    const older = await render({ kubeVersion: '1.28.0' });
    expect(containerOf(older).lifecycle.preStop).toEqual({
      exec: { command: ['node', '-e', 'setTimeout(() => {}, 5000)'] },
    });
    expect(namesOf(await renderSet('restart', quick)).join()).not.toContain('PodDisruptionBudget');
  });

  test('are asked on the port that they listen on', async () => {
    const objects = await renderSet('restart', quick);
    expect(containerOf(objects).ports).toEqual([{ name: 'http', containerPort: 8080, protocol: 'TCP' }]);
    expect(containerOf(objects).startupProbe).toBeUndefined();
    expect(containerOf(objects).readinessProbe.httpGet.path).toBe('/ping');
  });
});

describeWith('resources', missingHelm(), () => {
  const requests = { cpu: '100m', memory: '192Mi' };

  test.each([
    [{}, requests],
    [{ 'limits.memory': '128Mi' }, { ...requests, memory: '128Mi' }],
    [
      { 'limits.memory': '200000000', 'limits.cpu': '0.05' },
      { cpu: '0.05', memory: 200_000_000 },
    ],
    [{ 'limits.memory': '1G', 'limits.cpu': '1' }, requests],
    [
      { 'limits.memory': '1Pi', 'limits.cpu': '99000u' },
      { ...requests, cpu: '99000u' },
    ],
    [
      { 'limits.memory': 'null', 'requests.memory': '2Gi' },
      { ...requests, memory: '2Gi' },
    ],
    [
      { 'limits.memory': '130Mi', 'requests.memory': '128Mi' },
      { ...requests, memory: '128Mi' },
    ],
  ])('%j: no request is above its limit', async (given, expected) => {
    const set = Object.entries(given).map(([name, value]) => `resources.${name}=${value}`);
    expect(containerOf(await render({ set })).resources.requests).toEqual(expected);
  });
});

describeWith('the image', missingHelm(), () => {
  test('is that of the chart’s version, or a digest', async () => {
    expect(containerOf(await render()).image).toMatch(/^tiercel:\d+\.\d+\.\d+/);
    const objects = await renderSet('image', quick);
    expect(containerOf(objects)).toMatchObject({
      image: `registry.example.test:5000/security/tiercel@sha256:${'0123456789abcdef'.repeat(4)}`,
      imagePullPolicy: 'Always',
    });
    expect(podOf(objects).spec.imagePullSecrets).toEqual([{ name: 'pull' }, { name: 'other' }]);
  });

  test('is never that of falcosidekick', async () => {
    const objects = await renderSet('falcosidekick-cloud', quick);
    expect(containerOf(objects).image).toMatch(/^registry\.example\.test\/tiercel:0/);
  });
});
