/** Policy reports in a real API server, written with the rights that the chart grants and no others. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { OutputStatus } from '../../src/core/delivery/contract.ts';
import policyreport from '../../src/outputs/policyreport/index.ts';
import { TestDaemon, until } from '../e2e/support.ts';
import type { Manifest } from '../support/services/helm.ts';
import { REPORT_KINDS, type Report } from '../support/services/kube/reports.ts';
import { type ApiServer, missingKube, startApiServer } from '../support/services/kube.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';

const REPORTS = '/apis/wgpolicyk8s.io/v1alpha2';
const OF_CLUSTER = `${REPORTS}/clusterpolicyreports/falco-cluster-policy-report`;
const reportIn = (namespace: string) =>
  `${REPORTS}/namespaces/${namespace}/policyreports/falco-policy-report`;

function alert(n: number, values: Record<string, unknown> = {}) {
  return {
    time: `2026-01-31T12:00:00.${String(n).padStart(9, '0')}Z`,
    rule: `Rule ${n}`,
    priority: 'Warning',
    source: 'syscall',
    output: `alert number ${n}`,
    output_fields: { n, 'k8s.ns.name': 'shop' },
    ...values,
  };
}

const inNamespace = (namespace: string, n: number, values: Record<string, unknown> = {}) =>
  alert(n, { output_fields: { n, 'k8s.ns.name': namespace }, ...values });

const numbersOf = ({ results }: Report) =>
  results.map(({ properties }) => Number(properties.n)).sort((a, b) => a - b);

describeWith('policyreport (the first test brings the kinds)', missingKube(), () => {
  let server: ApiServer;
  let kubeconfig: string;
  const cleanups: (() => unknown)[] = [];
  const ending: (() => unknown)[] = [];

  beforeAll(async () => {
    server = await startApiServer();
    cleanups.push(() => server.stop());
    for (const name of ['falco', 'shop', 'bank', 'busy', 'small', 'grave', 'going']) {
      await create('/api/v1/namespaces', { name });
    }
    const folder = await scratch('policyreport');
    cleanups.push(() => folder.remove());
    kubeconfig = join(folder.path, 'kubeconfig');
    await writeFile(kubeconfig, JSON.stringify(accessWith(await accountWithRules())));
  }, 180_000);
  afterAll(async () => {
    for (const clean of cleanups.reverse()) await clean();
  });
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  async function create(path: string, metadata: object, rest: object = {}): Promise<Manifest> {
    const { status, body } = await server.call('POST', path, { metadata, ...rest });
    if (status !== 201) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return body;
  }

  /** A token of an account that may do what the output's definition says. */
  async function accountWithRules(): Promise<string> {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const accounts = '/api/v1/namespaces/falco/serviceaccounts';
    await create(accounts, { name: 'tiercel' });
    await create(`${rbac}/clusterroles`, { name: 'tiercel' }, { rules: policyreport.clusterRules });
    await create(
      `${rbac}/clusterrolebindings`,
      { name: 'tiercel' },
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'tiercel' },
        subjects: [{ kind: 'ServiceAccount', name: 'tiercel', namespace: 'falco' }],
      },
    );
    const { status } = await create(`${accounts}/tiercel/token`, {}, { spec: { expirationSeconds: 3600 } });
    return (status as { token: string }).token;
  }

  function accessWith(token: string) {
    return {
      clusters: [{ name: 'c', cluster: { server: server.url, 'certificate-authority': server.caFile } }],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'falco' } }],
      'current-context': 'x',
    };
  }

  async function daemonWith(settings: object = {}): Promise<TestDaemon> {
    const daemon = new TestDaemon();
    ending.push(() => daemon.remove());
    return daemon.start({ policyreport: { enabled: true, kubeconfig, ...settings } });
  }

  async function statusOf(daemon: TestDaemon): Promise<OutputStatus> {
    const { outputs } = await daemon.json<{ outputs: OutputStatus[] }>('/api/v1/status');
    return outputs[0]!;
  }

  /** Posts alerts, one after the other, and waits until all are written. */
  async function report(daemon: TestDaemon, ...alerts: object[]): Promise<void> {
    for (const one of alerts) expect(await daemon.post(one)).toBe(200);
    await until('all is written', async () => (await statusOf(daemon)).depth === 0);
    expect(await statusOf(daemon)).toMatchObject({ deadLetters: 0, dropped: 0 });
  }

  async function read(path: string): Promise<Report> {
    const { status, body } = await server.call('GET', path);
    if (status !== 200) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return body as unknown as Report;
  }

  test('without the kinds alerts wait; with them they arrive', async () => {
    const daemon = await daemonWith();
    expect(await daemon.post(alert(1))).toBe(200);
    await until('it has failed', async () => (await statusOf(daemon)).lastFailureAt !== undefined);
    expect(await statusOf(daemon)).toMatchObject({ depth: 1, deadLetters: 0 });
    for (const kind of REPORT_KINDS) expect((await server.apply(kind)).status).toBe(201);
    await report(daemon, alert(2));
    expect(numbersOf(await read(reportIn('shop')))).toEqual([1, 2]);
  }, 60_000);

  test('an alert is a result in the report of its namespace, or of the cluster; the kinds know every field', async () => {
    const daemon = await daemonWith();
    const aboutCluster = alert(5, {
      source: 'k8s_audit',
      priority: 'Error',
      output_fields: { n: 5, 'ka.target.resource': 'clusterroles', 'ka.target.name': 'all' },
    });
    const other = alert(6, { source: 'okta' });
    await report(
      daemon,
      inNamespace('bank', 3, { priority: 'Critical' }),
      inNamespace('bank', 4, {
        output_fields: { n: 4, 'k8s.ns.name': 'bank', 'k8s.pod.name': 'vault-0' },
      }),
      aboutCluster,
      other,
    );

    const bank = await read(reportIn('bank'));
    expect(bank.metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'falcosidekick' });
    expect(bank.summary).toEqual({ pass: 0, fail: 1, warn: 1, error: 0, skip: 0 });
    expect(bank.results[0]).toEqual({
      category: 'SI - System and Information Integrity',
      message: 'alert number 3',
      policy: 'syscall',
      properties: { 'k8s.ns.name': 'bank', n: '3' },
      result: 'fail',
      rule: 'Rule 3',
      severity: 'critical',
      source: 'Falco',
      timestamp: { seconds: Date.parse('2026-01-31T12:00:00Z') / 1000, nanos: 3 },
    });
    expect(bank.results[1]!.resources).toEqual([
      { kind: 'Pod', namespace: 'bank', name: 'vault-0', apiVersion: 'v1' },
    ]);
    const cluster = await read(OF_CLUSTER);
    expect(numbersOf(cluster)).toEqual([5]);
    expect(cluster.results[0]!.resources).toEqual([
      { kind: 'ClusterRole', name: 'all', apiVersion: 'rbac.authorization.k8s.io/v1' },
    ]);
  }, 60_000);

  test('a namespace that is not there, or is going away: the report of the own one', async () => {
    const daemon = await daemonWith();
    await report(daemon, inNamespace('nowhere', 10));
    expect(numbersOf(await read(reportIn('falco')))).toEqual([10]);
    // Nothing finishes namespaces here, so it stays on its way out.
    await server.call('DELETE', '/api/v1/namespaces/going');
    await report(daemon, inNamespace('going', 11));
    expect(numbersOf(await read(reportIn('falco')))).toEqual([10, 11]);
  }, 60_000);

  test('a report keeps the newest, or with prunebypriority the gravest', async () => {
    const newest = await daemonWith({ maxevents: 3 });
    await report(newest, ...[20, 21, 22, 23, 24].map(n => inNamespace('small', n)));
    expect(numbersOf(await read(reportIn('small')))).toEqual([22, 23, 24]);

    const gravest = await daemonWith({ maxevents: 3, prunebypriority: true });
    const priorities = ['Critical', 'Debug', 'Error', 'Notice', 'Warning'];
    const alerts = priorities.map((priority, at) => inNamespace('grave', 30 + at, { priority }));
    await report(gravest, ...alerts);
    const kept = await read(reportIn('grave'));
    expect(numbersOf(kept)).toEqual([30, 32, 34]);
    expect(kept.summary).toMatchObject({ fail: 2, warn: 1, skip: 0 });
  }, 60_000);

  test('800 alerts while somebody else keeps writing to the report: all are there once, and so is theirs', async () => {
    const daemon = await daemonWith({ maxevents: 2_000 });
    await report(daemon, inNamespace('busy', 0));
    let others = 0;
    let posting = true;
    const merge = { type: 'application/merge-patch+json' };
    const meddle = async () => {
      while (posting) {
        const annotations = { meddled: String(++others) };
        const { status } = await server.call('PATCH', reportIn('busy'), { metadata: { annotations } }, merge);
        expect(status).toBe(200);
        // About as long as reading and writing the report takes: some writes get through, some do not.
        await sleep(100);
      }
    };
    const meddling = meddle();
    ending.push(async () => {
      posting = false;
      await meddling;
    });
    const numbers = [...Array(800).keys()];
    for (let from = 1; from < numbers.length; from += 50) {
      const some = numbers.slice(from, from + 50);
      await Promise.all(some.map(async n => expect(await daemon.post(inNamespace('busy', n))).toBe(200)));
    }
    await until('all is written', async () => (await statusOf(daemon)).depth === 0, 60_000);
    posting = false;
    await meddling;

    expect(await conflicts()).toBeGreaterThan(0);
    const busy = await read(reportIn('busy'));
    expect(numbersOf(busy)).toEqual(numbers);
    expect(busy.summary.warn).toBe(800);
    expect(busy.metadata.annotations).toEqual({ meddled: String(others) });
    expect(await statusOf(daemon)).toMatchObject({ deadLetters: 0, dropped: 0 });
  }, 120_000);

  /** Writes to reports that the server has refused because another came in between. */
  async function conflicts(): Promise<number> {
    const { body } = await server.call('GET', '/metrics');
    const counts = String(body.message).matchAll(
      /^apiserver_request_total\{(?=[^}]*code="409")(?=[^}]*resource="policyreports")[^}]*verb="PUT"[^}]*\} (\d+)/gm,
    );
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  }
});
