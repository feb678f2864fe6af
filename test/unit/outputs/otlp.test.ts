import { afterAll, describe, expect, test } from 'vitest';
import { readableBody } from '../../../scripts/gen/readable.ts';
import type { Count, Host, HttpResponse, OutputDefinition } from '../../../src/core/contract.ts';
import { RetriableError } from '../../../src/core/errors.ts';
import logs from '../../../src/outputs/otlp-logs/index.ts';
import { AlertCounter } from '../../../src/outputs/otlp-metrics/counter.ts';
import metrics from '../../../src/outputs/otlp-metrics/index.ts';
import traces from '../../../src/outputs/otlp-traces/index.ts';
import { toSpan } from '../../../src/outputs/otlp-traces/span.ts';
import { alertOf } from '../../support/alerts.ts';
import { answerCall, framed, serveGrpc } from '../../support/grpc-server.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { falcoAlert, falcoAlerts } from '../../support/services/alerts.ts';
import { hostOf, type Logged } from '../../support/services/drive.ts';

const OK: HttpResponse = { status: 200, headers: {}, body: '' };

/** The parts of an export that the tests look at. */
interface Sum {
  name: string;
  sum: { dataPoints: { attributes: { key: string; value: { stringValue?: string } }[]; asInt: string }[] };
}

/** Opens an output whose requests are kept and answered as told. */
async function open(
  definition: OutputDefinition,
  config: object = {},
  { counts, customFields }: Partial<Pick<Host, 'counts' | 'customFields'>> = {},
) {
  const logged: Logged[] = [];
  const far = {
    answer: OK,
    bodies: [] as string[],
    arrived: () => {},
    logged,
    /** Name → labels as text → value, over all exports. */
    sums(): Record<string, Record<string, number>> {
      const found: Record<string, Record<string, number>> = {};
      for (const body of far.bodies) {
        const list = JSON.parse(body).resourceMetrics[0].scopeMetrics[0].metrics as Sum[];
        for (const { name, sum } of list) {
          for (const { attributes, asInt } of sum.dataPoints) {
            const labels = attributes.map(({ key, value }) => `${key}=${value.stringValue ?? ''}`).join();
            found[name] = { ...found[name], [labels]: Number(asInt) };
          }
        }
      }
      return found;
    },
    until: (holds: () => boolean) =>
      new Promise<void>(resolve => {
        far.arrived = () => holds() && resolve();
        far.arrived();
      }),
  };
  const host: Host = {
    ...hostOf({}, logged),
    id: definition.name,
    ...(counts && { counts }),
    ...(customFields && { customFields }),
    http: {
      async send(request) {
        far.bodies.push(readableBody(request));
        far.arrived();
        return far.answer;
      },
    },
  };
  const keys = definition.keys.parse({ ...definition.example, ...config });
  const output = await definition.open(keys, host);
  const send = (...alerts: ReturnType<typeof falcoAlert>[]) =>
    output.send(alerts, { signal: patience(), attempt: 1 });
  return { output, far, send };
}

const withFields = (fields: object, change: object = {}) =>
  alertOf(
    JSON.stringify({
      rule: 'R',
      priority: 'Notice',
      source: 'syscall',
      time: '2026-01-31T12:00:00.000000001Z',
      output: 'o',
      ...change,
      output_fields: fields,
    }),
  );

describe('spans', () => {
  const traceOf = (fields: object) => (toSpan(withFields(fields), 1).traceId as Buffer).toString('hex');

  test('share a trace by pod, else container, else node', () => {
    const pod = { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-7f9c' };
    // What falcosidekick gives.
    expect(traceOf(pod)).toBe('2e778124dbf862d1fef74ad8e3d15351');
    expect(traceOf({ ...pod, 'container.id': 'a', 'evt.hostname': 'n' })).toBe(traceOf(pod));
    expect(traceOf({ 'k8s.ns.name': 'shop', 'container.id': 'a' })).toBe(traceOf({ 'container.id': 'a' }));
    expect(traceOf({ 'container.id': 'host', 'evt.hostname': 'n' })).toBe(traceOf({ 'evt.hostname': 'n' }));
    expect(traceOf({ 'container.id': 'a' })).not.toBe(traceOf({ 'container.id': 'b' }));
  });

  test('are the same for the same alert, and others for another', () => {
    const alert = withFields({ 'container.id': 'a' });
    expect(toSpan(alert, 1)).toEqual(toSpan(alert, 1));
    expect(toSpan(alert, 1).spanId).not.toEqual(toSpan(withFields({ 'container.id': 'a' }), 1).spanId);
  });

  test.each([
    [{ 'container.id': 'a' }, {}, true],
    [{ 'container.id': 'a' }, { source: 'k8s_audit' }, false],
    [{ 'container.id': 'a' }, { source: 'syscalls' }, true],
    [{ 'container.id': 'host' }, {}, false],
    [{ 'k8s.ns.name': null, 'k8s.pod.name': 'p' }, {}, false],
    [{ 'evt.hostname': 'n' }, {}, true],
  ])('are made of alerts with %o and %o: %s', (fields, change, taken) => {
    expect(traces.takes!(withFields(fields, change))).toBe(taken);
  });

  test('have each attribute once, a field over a part of the alert, as falcosidekick has them', async () => {
    const { far, send } = await open(traces);
    await send(withFields({ 'container.id': 'a', rule: 'own', uuid: 'u', '': 'nameless' }));
    const { attributes } = JSON.parse(far.bodies[0]!).resourceSpans[0].scopeSpans[0].spans[0];
    const names = attributes.map(({ key }: { key: string }) => key);
    expect(names).toEqual(['uuid', 'source', 'priority', 'rule', 'hostname', 'tags', 'container.id']);
    expect(attributes[0].value).toEqual({ stringValue: 'u' });
    expect(attributes[3].value).toEqual({ stringValue: 'own' });
  });

  test('go alone when they are to be synced', () => {
    const limits = (synced: boolean) => traces.batchBy!(traces.keys.parse({ ...traces.example, synced }));
    expect(limits(true)).toBeUndefined();
    expect(limits(false)!.items).toBeGreaterThan(1);
  });
});

describe('a receiver that takes a request and refuses items', () => {
  const servers: { close(): Promise<void> }[] = [];
  afterAll(() => Promise.all(servers.map(server => server.close())));

  // ExportTracePartialSuccess { rejected_spans: n, error_message: text } within its response.
  const long = 'why '.repeat(60);
  const refusal = (count: number, text: string) => {
    const varint = (value: number) => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
    const partial = [8, ...varint(count), 18, ...varint(text.length), ...Buffer.from(text)];
    return Buffer.from([10, ...varint(partial.length), ...partial]);
  };

  test.each([
    ['one, with few words', refusal(1, 'no room').toString()],
    ['many, with many words', refusal(300, long).toString()],
    ['one, without words', Buffer.from([10, 2, 8, 1]).toString()],
  ])('%s: the alerts are not taken for delivered', async (_name, body) => {
    for (const definition of [traces, logs]) {
      const { far, send } = await open(definition);
      far.answer = { ...OK, body };
      const error = await failureOf(send(withFields({ 'container.id': 'a' })));
      expect(error).toMatchObject({ name: 'PermanentError', reason: 'payload' });
      if (body.includes('room')) expect(error!.message).toContain('no room');
    }
  });

  test.each([
    ['nothing', ''],
    ['a warning alone', refusal(0, 'look here').toString()],
    ['a warning whose length is how JSON begins', refusal(0, 'x'.repeat(119)).toString()],
    ['an empty result', Buffer.from([10, 0]).toString()],
    ['JSON', '{}'],
  ])('%s is no refusal', async (_name, body) => {
    const { far, send } = await open(logs);
    far.answer = { ...OK, body };
    await send(falcoAlert());
  });

  test.each([
    ['in protobuf', refusal(1, 'no room').toString(), 3],
    ['in protobuf, as long as JSON begins', refusal(1, 'x'.repeat(119)).toString(), 3],
    ['in JSON', '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no room"}}', 40],
    ['in either', '{}', 0],
  ])('%s, and whose answer breaks off: several alerts are sent again', async (_name, body, length) => {
    const { far, output } = await open(logs);
    const alerts = [falcoAlert(), falcoAlert()];
    const context = { signal: patience(), attempt: 1 };
    far.answer = { ...OK, body: body.slice(0, length), isCut: true };
    expect(await failureOf(output.send(alerts, context))).toBeInstanceOf(RetriableError);
    expect(await failureOf(output.send(alerts.slice(1), context))).toBeUndefined();
  });

  test.each([
    ['some', refusal(300, long), { reason: 'payload', message: expect.stringContaining('why why') }],
    ['none', refusal(0, long), undefined],
    ['what cannot be read', Buffer.from([10, 200]), undefined],
  ])('%s, over gRPC', async (_name, message, expected) => {
    const server = await serveGrpc(call => answerCall(call, undefined, framed(message)));
    servers.push(server);
    const config = { protocol: 'grpc', endpoint: `http://127.0.0.1:${server.port}` };
    const { output, send } = await open(traces, config);
    const error = await failureOf(send(withFields({ 'container.id': 'a' })));
    await output.close!();
    if (expected) expect(error).toMatchObject(expected);
    else expect(error).toBeUndefined();
  });

  test('does not lose counts: they are part of the next ones', async () => {
    const { far, send } = await open(metrics);
    far.answer = { ...OK, body: refusal(1, 'no room').toString() };
    await send(falcoAlert());
    expect(far.logged).toMatchObject([
      { level: 'warn', fields: { error: expect.stringContaining('no room') } },
    ]);
    far.answer = OK;
    await send(falcoAlert());
    expect(Object.values(far.sums().falcosecurity_falco_rules_matches_total!)).toEqual([2]);
  });
});

describe('headers', () => {
  const problems = (headers: string) => logs.check!(logs.keys.parse({ ...logs.example, headers }));

  test.each(['', 'a=b', 'x-one=a=b,x-two=b%20c, x-three=', 'x=%zz'])('%s can be used', text => {
    expect(problems(text)).toEqual([]);
  });

  test.each(['a', 'a=b,c', '=b', 'a b=c', 'a=%0d%0ab'])('%s cannot', text => {
    expect(problems(text)).toMatchObject([{ path: 'headers' }]);
  });
});

test.each([
  [{ endpoint: 'http://collector.test', tls: true }, 1],
  [{ endpoint: 'http://collector.test' }, 0],
  [{ endpoint: 'https://collector.test', tls: true }, 0],
  [{ endpoint: 'http://collector.test', tls: true, protocol: 'grpc' }, 0],
])('with %j the log warns %i times that nothing protects the alerts', async (config, times) => {
  const { output, far } = await open(logs, config);
  expect(far.logged.filter(({ message }) => message.includes('without TLS'))).toHaveLength(times);
  await output.close?.();
});

describe('counters', () => {
  const RULES = 'falcosecurity_falco_rules_matches_total';

  test('grow from export to export', async () => {
    const { far, send } = await open(metrics);
    await send(...falcoAlerts(3));
    await send(...falcoAlerts(2), falcoAlert({ rule: 'Other' }));
    const sums = far.sums()[RULES]!;
    expect(Object.entries(sums)).toEqual([
      [expect.stringContaining('rule=Shell opened in container'), 5],
      [expect.stringContaining('rule=Other'), 1],
    ]);
  });

  test('count an alert once, however often its export is tried', async () => {
    const { far, send } = await open(metrics);
    const [first, second] = falcoAlerts(2);
    far.answer = { status: 503, headers: {}, body: '' };
    expect(await failureOf(send(first!))).toMatchObject({ name: 'RetriableError' });
    far.answer = OK;
    await send(first!, second!);
    await send(first!);
    expect(Object.values(far.sums()[RULES]!)).toEqual([2]);
  });

  test('show custom fields and those that are asked for', async () => {
    const { far, send } = await open(
      metrics,
      { extraattributes: 'proc.name, rule', extraattributeslist: ['missing'] },
      { customFields: () => ['team.name', 'no[label]'] },
    );
    await send(withFields({ 'proc.name': 'sh', rule: 'field', 'team.name': 'blue', 'no[label]': 'x' }));
    expect(Object.keys(far.sums()[RULES]!)).toEqual([
      'hostname=unknown,missing=,priority=Notice,proc_name=sh,rule=R,rule_2=field,source=syscall,tags=,team_name=blue',
    ]);
  });

  test('keep the names that falcosidekick gives', async () => {
    const custom = { _env: 'a', my__team: 'b', 'zone.': 'c' };
    const fields = { ...custom, '_proc.name': 'd', 'k8s.pod.label[app]': 'e' };
    const { far, send } = await open(
      metrics,
      { extraattributes: '_proc.name, k8s.pod.label[app]' },
      { customFields: () => Object.keys(custom) },
    );
    await send(withFields(fields));
    expect(Object.keys(far.sums()[RULES]!)).toEqual([
      '_env=a,_proc_name=d,hostname=unknown,k8s_pod_label_app=e,my__team=b,priority=Notice,rule=R,source=syscall,tags=,zone_=c',
    ]);
  });

  test('are bounded: what is more is counted together', () => {
    const counter = new AlertCounter();
    for (let index = 0; index < 2100; index++) counter.count([falcoAlert({ rule: `r${index}` })], new Map());
    const { series } = counter;
    expect(series).toHaveLength(2000);
    expect(series.at(-1)).toEqual({
      attributes: [{ key: 'otel.metric.overflow', value: { boolValue: true } }],
      value: 101,
    });
    expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(2100);
  });

  const counts: Count[] = [
    { of: 'inputs', labels: { source: 'requests', status: 'accepted' }, value: 5 },
    { of: 'outputs', labels: { destination: 'slack', status: 'ok' }, value: 4 },
    { of: 'outputs', labels: { destination: 'otlp.metrics', status: 'ok' }, value: 3 },
  ];

  test('of the daemon are exported on a period, those of the output itself left out', async () => {
    const extraenvvars = { otel_metric_export_interval: '100' };
    const { far, output } = await open(metrics, { extraenvvars }, { counts: () => counts });
    await far.until(() => far.bodies.length > 1);
    await output.close!();
    expect(far.sums()).toEqual({
      falcosecurity_falcosidekick_inputs: { 'source=requests,status=accepted': 5 },
      falcosecurity_falcosidekick_outputs: { 'destination=slack,status=ok': 4 },
    });
  });

  test('that have changed go out at the end, once', async () => {
    const { far, output, send } = await open(metrics, {}, { counts: () => counts });
    await send(falcoAlert());
    await output.close!();
    await output.close!();
    expect(far.bodies).toHaveLength(2);
    expect(Object.keys(far.sums())).toHaveLength(3);
  });

  test('that cannot be exported are told of once, and tried again', async () => {
    const { far, output } = await open(metrics, { interval: '100ms' }, { counts: () => counts });
    far.answer = { status: 503, headers: {}, body: '' };
    await far.until(() => far.bodies.length > 2);
    expect(far.logged).toMatchObject([{ level: 'warn', fields: { output: 'otlp.metrics' } }]);
    far.answer = OK;
    const tried = far.bodies.length;
    await far.until(() => far.bodies.length > tried);
    await output.close!();
  });
});
