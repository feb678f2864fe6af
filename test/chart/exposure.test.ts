/** How the outside gets to the daemon: Ingresses, Gateways, Services, and what the network lets through. */
import { expect, test } from 'vitest';
import { type Manifest, missingHelm, only, quick, renderSet } from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';

describeWith('the way in', missingHelm(), () => {
  test('through Ingresses, each with labels and annotations of its own', async () => {
    const objects = await renderSet('ingresses', quick);
    const main = only(objects, 'Ingress', 'falco-tiercel');
    expect(main.metadata).toMatchObject({
      labels: { exposed: 'true' },
      annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' },
    });
    expect(main.spec).toEqual({
      ingressClassName: 'nginx',
      tls: [{ secretName: 'tiercel-tls', hosts: ['falco.example.test'] }],
      rules: [
        {
          host: 'falco.example.test',
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'falco-tiercel', port: { name: 'http' } } },
              },
            ],
          },
        },
      ],
    });
    const kcert = only(objects, 'Ingress', 'falco-tiercel-kcert');
    expect(kcert.metadata.labels).toMatchObject({ 'kcert.dev/ingress': 'managed' });
    expect(kcert.metadata.labels).not.toHaveProperty('exposed');
    expect(kcert.spec.ingressClassName).toBeUndefined();
    const contour = only(objects, 'Ingress', 'falco-tiercel-contour');
    expect(contour.metadata.annotations).toEqual({ 'projectcontour.io/response-timeout': '30s' });
    expect(contour.spec.rules[0].http.paths.map(({ pathType }: Manifest) => pathType)).toEqual([
      'Exact',
      'Prefix',
    ]);
  });

  test('through a Gateway', async () => {
    const { metadata, spec } = only(await renderSet('httproute', quick), 'HTTPRoute');
    expect(metadata).toMatchObject({ labels: { team: 'sec' }, annotations: { note: 'x' } });
    expect(spec.rules).toHaveLength(2);
    expect(spec.rules[1].filters[0]).toMatchObject({
      type: 'RequestRedirect',
      requestRedirect: { scheme: 'https' },
    });
    const plain = only(await renderSet('falcosidekick-cloud', quick), 'HTTPRoute');
    expect(plain.spec.rules).toEqual([
      {
        backendRefs: [{ name: 'sidekick', port: 8080 }],
        matches: [{ path: { type: 'PathPrefix', value: '/' } }],
      },
    ]);
  });

  test('through ports of nodes and load balancers', async () => {
    expect(only(await renderSet('node-port', quick), 'Service', 'falco-tiercel').spec).toMatchObject({
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
      ports: [{ port: 2801, nodePort: 30281, appProtocol: 'http' }],
    });
    const cloud = await renderSet('falcosidekick-cloud', quick);
    expect(only(cloud, 'Service', 'sidekick').spec).toMatchObject({
      type: 'LoadBalancer',
      ports: [{ port: 8080 }],
    });
    // Nobody wants to pay for a second one.
    expect(only(cloud, 'Service', 'falco-falcosidekick').spec.type).toBe('ClusterIP');
  });

  test('is watched', async () => {
    expect(only(await renderSet('network-policy', quick), 'NetworkPolicy').spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          ports: [{ port: 'http' }],
          from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'falco' } } }],
        },
      ],
      egress: [{ ports: [{ port: 53 }, { port: 53 }] }, { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }],
    });
    const { spec } = only(await renderSet('node-port', quick), 'NetworkPolicy');
    expect(spec.policyTypes).toEqual(['Ingress']);
    expect(spec.ingress).toEqual([{ ports: [{ port: 'http' }] }]);
  });
});
