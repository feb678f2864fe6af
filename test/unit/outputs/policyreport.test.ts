/** Policy reports, against an API server that keeps them and minds their versions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Alert } from '../../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../../src/core/errors.ts';
import policyreport from '../../../src/outputs/policyreport/index.ts';
import { alertOf } from '../../support/alerts.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { answer, HttpSink, type Received } from '../../support/http-sink.ts';
import { recordingLogger } from '../../support/logger.ts';

interface Report {
  kind: string;
  metadata: { name: string; resourceVersion: string; labels?: object };
  summary: Record<string, number>;
  results: { rule: string; message: string; severity: string; resources?: object[] }[];
}

const REPORTS = '/apis/wgpolicyk8s.io/v1alpha2';
const inNamespace = (name: string) => `${REPORTS}/namespaces/${name}/policyreports/falco-policy-report`;
const OF_CLUSTER = `${REPORTS}/clusterpolicyreports/falco-cluster-policy-report`;

let dir: string;
let api: HttpSink;
let stored: Map<string, Report>;
let missing: Set<string>;
/** Called before a write is looked at. */
let meanwhile: (path: string) => void;
/** Answers that take the place of the next ones to writes. */
let writeStatus: number[];
/** What they say. */
let refusal: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-reports-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  stored = new Map();
  missing = new Set();
  writeStatus = [];
  refusal = '{}';
  meanwhile = () => {};
  api = await HttpSink.listen((request, socket) => void socket.write(serve(request)));
});
afterEach(async () => {
  await closeClients();
  await api.close();
});

let version = 0;
function put(path: string, report: Report): string {
  const metadata = { ...report.metadata, resourceVersion: String(++version) };
  stored.set(path, { ...report, metadata });
  return answer(200, JSON.stringify(stored.get(path)));
}

function serve({ method, target, body }: Received): string {
  const namespace = /^\/api\/v1\/namespaces\/(.+)$/.exec(target)?.[1];
  if (namespace !== undefined) return answer(missing.has(namespace) ? 404 : 200, '{}');
  if (method === 'GET') {
    const found = stored.get(target);
    return found ? answer(200, JSON.stringify(found)) : answer(404, '{}');
  }
  const path = method === 'POST' ? `${target}/${JSON.parse(body).metadata.name}` : target;
  meanwhile(path);
  const status = writeStatus.shift();
  if (status !== undefined && status >= 300) return answer(status, refusal);
  const report = JSON.parse(body) as Report;
  const present = stored.get(path);
  if (present?.metadata.resourceVersion !== report.metadata.resourceVersion) return answer(409, '{}');
  return put(path, report);
}

async function open(config: object = {}) {
  const kubeconfig = join(dir, 'kubeconfig');
  const context = { cluster: 'c', user: 'u', namespace: 'own' };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      contexts: [{ name: 'x', context }],
      clusters: [{ name: 'c', cluster: { server: api.origin } }],
      users: [{ name: 'u', user: { token: 't' } }],
    }),
  );
  const http = clientOf();
  const output = await policyreport.open(policyreport.keys.parse({ enabled: true, kubeconfig, ...config }), {
    id: 'policyreport',
    http,
    connect: () => http,
    outputs: () => [],
    customFields: () => [],
    templatedFields: () => [],
    tls: { verify: true },
    clock: { now: () => 0, monotonic: () => performance.now(), random: () => 0.5 },
    log: recordingLogger(),
    templateFailed() {},
  });
  return (alerts: Alert[], attempt = 1) => output.send(alerts, { signal: patience(), attempt });
}

function alert(rule: string, fields: object = {}, more: object = {}): Alert {
  const base = {
    rule,
    priority: 'Warning',
    time: '2026-01-31T12:00:00.5Z',
    output: `of ${rule}`,
    source: 'syscall',
  };
  return alertOf(JSON.stringify({ ...base, output_fields: fields, ...more }));
}
const about = (namespace: string, rule = namespace) =>
  alert(rule, { 'k8s.ns.name': namespace, 'k8s.pod.name': 'p' });
const rulesAt = (path: string) => stored.get(path)?.results.map(({ rule }) => rule);

test('alerts of several namespaces get into their own reports, with one write each', async () => {
  const send = await open();
  await send([about('a', '1'), about('b', '2'), about('a', '3'), alert('4')]);
  expect(rulesAt(inNamespace('a'))).toEqual(['1', '3']);
  expect(rulesAt(inNamespace('b'))).toEqual(['2']);
  expect(rulesAt(OF_CLUSTER)).toEqual(['4']);
  expect(stored.get(inNamespace('a'))).toMatchObject({
    kind: 'PolicyReport',
    summary: { pass: 0, fail: 0, warn: 2, error: 0, skip: 0 },
    results: [{ resources: [{ kind: 'Pod', namespace: 'a', name: 'p' }] }, {}],
  });
  expect(api.requests.filter(({ method }) => method !== 'GET')).toHaveLength(3);
});

test('what others wrote in the meantime is kept', async () => {
  const send = await open();
  await send([about('a', 'first')]);
  let times = 0;
  meanwhile = path => {
    if (times++ >= 2) return;
    const present = stored.get(path)!;
    put(path, {
      ...present,
      results: [...present.results, { rule: `other ${times}`, message: '', severity: 'low' }],
    });
  };
  await send([about('a', 'mine')]);
  expect(rulesAt(inNamespace('a'))).toEqual(['first', 'other 1', 'other 2', 'mine']);
});

test('a report that somebody else made first is added to', async () => {
  const send = await open();
  meanwhile = path => {
    if (stored.has(path)) return;
    const metadata = { name: 'falco-policy-report', resourceVersion: '', labels: { keep: 'me' } };
    put(path, {
      kind: 'PolicyReport',
      metadata,
      summary: {},
      results: [{ rule: 'theirs', message: '', severity: 'low' }],
    });
  };
  await send([about('a', 'mine')]);
  expect(rulesAt(inNamespace('a'))).toEqual(['theirs', 'mine']);
  expect(stored.get(inNamespace('a'))!.metadata.labels).toEqual({ keep: 'me' });
});

test('conflicts without end are for later', async () => {
  writeStatus = Array(100).fill(409);
  const error = await failureOf((await open())([about('a')]));
  expect(error).toBeInstanceOf(RetriableError);
  expect(writeStatus.length).toBeGreaterThan(80);
});

test('a second try adds nothing that the first has added', async () => {
  const send = await open();
  await send([about('a', '1')]);
  await send([about('a', '1'), about('a', '2')], 2);
  expect(rulesAt(inNamespace('a'))).toEqual(['1', '2']);
  const writes = api.requests.length;
  await send([about('a', '2')], 2);
  expect(api.requests.slice(writes).map(({ method }) => method)).toEqual(['GET']);
});

test('one report that cannot be written fails its own alerts alone', async () => {
  const send = await open();
  writeStatus = [403, 200];
  const error = (await failureOf(send([about('a'), about('b')]))) as unknown as PartialError;
  expect(error).toBeInstanceOf(PartialError);
  expect([...error.failed.keys()]).toEqual([0]);
  expect(error.failed.get(0)).toBeInstanceOf(PermanentError);
  expect(rulesAt(inNamespace('b'))).toEqual(['b']);
});

test('alerts of a report that is refused share the error: one of them may be the reason', async () => {
  const send = await open();
  writeStatus = [422, 200];
  const error = (await failureOf(
    send([about('a', '1'), about('b'), about('a', '2')]),
  )) as unknown as PartialError;
  expect([...error.failed.keys()]).toEqual([0, 2]);
  expect(error.failed.get(0)).toBeInstanceOf(PermanentError);
  expect(error.failed.get(2)).toBe(error.failed.get(0));
});

test('a report that is taken away before it is written is made anew', async () => {
  const send = await open();
  await send([about('a', '1')]);
  meanwhile = path => {
    if (!stored.delete(path)) return;
    writeStatus = [404];
  };
  await send([about('a', '2')]);
  expect(rulesAt(inNamespace('a'))).toEqual(['2']);
});

test('without the kinds in the cluster alerts are for later', async () => {
  const send = await open();
  writeStatus = [404];
  refusal = '404 page not found';
  const error = await failureOf(send([alert('r')]));
  expect(error).toBeInstanceOf(RetriableError);
  expect(error?.message).toContain('install their CRDs');
  await send([alert('r')], 2);
  expect(rulesAt(OF_CLUSTER)).toEqual(['r']);
});

test.each([
  [403, '{"details":{"causes":[{"reason":"NamespaceTerminating","field":"metadata.namespace"}]}}'],
  [404, '{"details":{"name":"a","kind":"namespaces"}}'],
])(
  'a namespace that goes away in the meantime (%i) is stood in for by the next try',
  async (status, says) => {
    const send = await open();
    writeStatus = [status];
    refusal = says;
    expect(await failureOf(send([about('a', 'r')]))).toBeInstanceOf(RetriableError);
    await send([about('a', 'r')], 2);
    expect(rulesAt(inNamespace('own'))).toEqual(['r']);
  },
);

test('an answer that is no report is not written over it', async () => {
  const send = await open();
  api.reply = ({ target }, socket) =>
    void socket.write(answer(200, target.startsWith('/api/') ? '{}' : '<html>'));
  expect(await failureOf(send([about('a')]))).toBeInstanceOf(RetriableError);
  expect(api.requests.every(({ method }) => method === 'GET')).toBe(true);
});

describe('a namespace that is not there', () => {
  test.each([
    [{ falconamespace: 'falco' }, 'falco'],
    [{}, 'own'],
  ])('is stood in for: %j', async (config, place) => {
    missing.add('gone');
    await (await open(config))([alert('r', { 'k8s.ns.name': 'gone' })]);
    expect(rulesAt(inNamespace(place))).toEqual(['r']);
    expect(stored.get(inNamespace(place))!.results[0]).not.toHaveProperty('resources');
  });

  test.each([7, null, ['x'], '', '../../x', 'UPPER'])('because %j is no name of one', async name => {
    await (await open())([alert('r', { 'k8s.ns.name': name })]);
    expect(rulesAt(OF_CLUSTER)).toEqual(['r']);
  });
});

test.each([
  ['secrets', { kind: 'Secret', apiVersion: 'v1' }],
  ['deployments', { kind: 'Deployment', apiVersion: 'apps/v1' }],
  ['rolebindings', { kind: 'RoleBinding', apiVersion: 'rbac.authorization.k8s.io/v1' }],
  ['widgets', {}],
])('an audit event is about its target, one of the %s', async (resource, type) => {
  const fields = { 'ka.target.namespace': 'a', 'ka.target.resource': resource, 'ka.target.name': 'db' };
  await (await open())([alert('r', fields, { source: 'k8s_audit' })]);
  expect(stored.get(inNamespace('a'))!.results[0]!.resources).toEqual([
    { ...type, namespace: 'a', name: 'db' },
  ]);
});

test('takes what is about the cluster alone', () => {
  const takes = (source: string) => policyreport.takes!(alert('r', {}, { source }));
  expect(['syscall', 'syscalls', 'k8saudit', 'k8s_audit'].every(takes)).toBe(true);
  expect(['aws_cloudtrail', 'okta', 'internal', ''].some(takes)).toBe(false);
});

describe('a full report', () => {
  const of = (rule: string, priority: string) => alert(rule, {}, { priority });

  test('loses its oldest results', async () => {
    const send = await open({ maxevents: 2 });
    await send([of('1', 'Critical'), of('2', 'Debug')]);
    await send([of('3', 'Warning')]);
    expect(rulesAt(OF_CLUSTER)).toEqual(['2', '3']);
    expect(stored.get(OF_CLUSTER)!.summary).toMatchObject({ fail: 0, warn: 1, skip: 1 });
  });

  test('loses the mildest with prunebypriority', async () => {
    const send = await open({ maxevents: 2, prunebypriority: true });
    await send([of('1', 'Critical'), of('2', 'Debug'), of('3', 'Debug')]);
    await send([of('4', 'Warning')]);
    expect(rulesAt(OF_CLUSTER)).toEqual(['1', '4']);
  });

  test('keeps its results whatever one alert holds', async () => {
    const send = await open();
    await send([of('1', 'Critical'), of('2', 'Debug')]);
    const fields = Array.from({ length: 500 }, (_, at) => [`f${at}`, '\u0001'.repeat(9_000)]);
    const long = 'é'.repeat(1_000_000);
    await send([alert(`3${long}`, { ...Object.fromEntries(fields), 'k8s.pod.name': long, z: 'small' })]);
    expect(rulesAt(OF_CLUSTER)!.map(rule => rule[0])).toEqual(['1', '2', '3']);
    expect(JSON.stringify(stored.get(OF_CLUSTER)!.results[2])).toContain('"z":"small"');
  });

  test('stays below what etcd takes', async () => {
    const send = await open();
    const big = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`f${at}`, 'é'.repeat(10_000)]));
    for (const rule of ['1', '2', '3', '4']) await send([alert(rule, big)]);
    expect(JSON.stringify(stored.get(OF_CLUSTER)).length).toBeLessThan(1_000_000);
    expect(rulesAt(OF_CLUSTER)!.at(-1)).toBe('4');
    expect(JSON.stringify(stored.get(OF_CLUSTER))).not.toContain('\ufffd');
  });
});
