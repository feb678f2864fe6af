import { describe, expect, it } from 'vitest';
import { sealAlert } from '../../src/core/alert/alert.ts';
import type { OutputStatus } from '../../src/core/delivery/contract.ts';
import { MAX_LABEL_LENGTH } from '../../src/core/metrics/capped-counter.ts';
import type { LabelConfig } from '../../src/core/metrics/event-labels.ts';
import { createMetrics, type Metrics, type MetricsDeps } from '../../src/core/metrics.ts';
import type { SpoolStats } from '../../src/core/spool/contract.ts';
import { draftOf } from '../support/drafts.ts';
import { recordingLogger } from '../support/logger.ts';

const EVENTS = 'falcosecurity_falcosidekick_falco_events_total';

function config(
  parts: { custom?: string[]; templated?: string[]; extra?: string[]; maxSeries?: number } = {},
): LabelConfig {
  const fields = (names: string[] = []) => Object.fromEntries(names.map(name => [name, 'x']));
  return {
    metrics: { extraLabels: parts.extra ?? [], maxSeries: parts.maxSeries ?? 1000 },
    enrich: { customFields: fields(parts.custom), templatedFields: fields(parts.templated) },
  };
}

const metricsOf = (parts: Parameters<typeof config>[0] = {}, deps: MetricsDeps = {}) =>
  createMetrics(config(parts), { process: false, ...deps });

function count(metrics: Metrics, fieldsText: string, parts: Record<string, unknown> = {}): void {
  metrics.event(sealAlert(draftOf(parts, fieldsText)));
}

/** The samples of a metric, `name{labels}` → value. */
async function samples(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const { text } = await metrics.text();
  const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map(line => [
      line.slice(name.length, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

/** Those that are not 0. */
async function counted(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const all = Object.entries(await samples(metrics, name));
  return Object.fromEntries(all.filter(([, value]) => value !== 0));
}

describe('the counter of alerts', () => {
  it("has falcosidekick's name, type and labels", async () => {
    const metrics = metricsOf();
    count(metrics, '{"k8s.ns.name":"shop","k8s.pod.name":"web-1"}', { priority: 'critical', hostname: 'n1' });
    count(metrics, '{}', { rule: 'say "hi" \\ \n' });
    count(metrics, '{}', { rule: 'say "hi" \\ \n' });
    const { text, contentType } = await metrics.text();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toContain(`# TYPE ${EVENTS} counter\n`);
    expect(await samples(metrics, EVENTS)).toEqual({
      '{hostname="n1",rule="R",priority="6",priority_raw="critical",source="syscall",k8s_ns_name="shop",k8s_pod_name="web-1"}': 1,
      '{hostname="unknown",rule="say \\"hi\\" \\\\ \\n",priority="3",priority_raw="notice",source="syscall",k8s_ns_name="",k8s_pod_name=""}': 2,
    });
  });

  it.each([
    ['7', '7'],
    ['null', ''],
    ['["a",1]', '[\\"a\\",1]'],
    ['{"b":true}', '{\\"b\\":true}'],
    ['1743606903434319636', '1743606903434319636'],
    ['false', 'false'],
  ])('writes the namespace %s as text (F2)', async (value, label) => {
    const metrics = metricsOf();
    count(metrics, `{"k8s.ns.name":${value}}`);
    expect(Object.keys(await samples(metrics, EVENTS))[0]).toContain(`k8s_ns_name="${label}"`);
  });

  it('counts numbers and texts of the same digits as one (F3)', async () => {
    const metrics = metricsOf({ extra: ['n_drops'] });
    count(metrics, '{"n_drops":1500}');
    count(metrics, '{"n_drops":"1500"}');
    expect(Object.values(await samples(metrics, EVENTS))).toEqual([2]);
  });

  it('shows custom, templated and extra fields as labels', async () => {
    const metrics = metricsOf({ custom: ['env'], templated: ['who.is'], extra: ['proc.name', 'no.such'] });
    count(metrics, '{"env":"stage","who.is":"alice","proc.name":"zsh"}');
    expect(Object.keys(await samples(metrics, EVENTS))[0]).toContain(
      'k8s_pod_name="",env="stage",who_is="alice",proc_name="zsh",no_such=""}',
    );
  });

  it('leaves out custom names that are no label names, as falcosidekick does, and says so', async () => {
    const log = recordingLogger();
    const metrics = metricsOf({ custom: ['bad-key', '__reserved'], templated: ['1st'] }, { log });
    count(metrics, '{"bad-key":"x"}');
    expect(Object.keys(await samples(metrics, EVENTS))[0]).toMatch(/k8s_pod_name=""}$/);
    expect(log.lines.map(line => line.fields.field)).toEqual(['bad-key', '__reserved', '1st']);
  });

  it('makes legal names of the fields asked for (F18)', async () => {
    const metrics = metricsOf({
      extra: ['a__b.c_', 'proc.aname[2]', 'json.value[/user/extra/session]', '1st', '日本', '__name__'],
    });
    count(
      metrics,
      '{"proc.aname[2]":"init","json.value[/user/extra/session]":"s","1st":"a","日本":"b","__name__":"c"}',
    );
    expect(Object.keys(await samples(metrics, EVENTS))[0]).toContain(
      'a__b_c_="",proc_aname_2="init",json_value_user_extra_session="s",_1st="a",_="b",_name="c"}',
    );
  });

  it('tells fields apart that come to one name, and shows no field twice (F30)', async () => {
    const metrics = metricsOf({
      custom: ['a.b', 'rule'],
      extra: ['a_b', 'a[b]', 'a.b', 'k8s.ns.name', 'source'],
    });
    count(metrics, '{"a.b":"1","a_b":"2","a[b]":"3","rule":"4","source":"5"}');
    expect(Object.keys(await samples(metrics, EVENTS))[0]).toContain(
      'k8s_pod_name="",a_b="1",rule_2="4",a_b_2="2",a_b_3="3",source_2="5"}',
    );
  });

  it('counts together what is beyond the limit of series, by priority (F29)', async () => {
    const metrics = metricsOf({ maxSeries: 2 });
    for (let pod = 0; pod < 1000; pod++) {
      count(metrics, `{"k8s.pod.name":"p${pod}"}`, { priority: pod % 2 === 0 ? 'Error' : 'Notice' });
    }
    count(metrics, '{"k8s.pod.name":"p0"}', { priority: 'Error' });
    const series = await samples(metrics, EVENTS);
    const together = (priority: string) =>
      `{hostname="_overflow_",rule="_overflow_",priority=${priority},source="_overflow_",k8s_ns_name="_overflow_",k8s_pod_name="_overflow_"}`;
    expect(Object.keys(series)).toHaveLength(4);
    expect(series[together('"5",priority_raw="error"')]).toBe(499);
    expect(series[together('"3",priority_raw="notice"')]).toBe(499);
    expect(Object.values(series).reduce((sum, value) => sum + value)).toBe(1001);
    expect(await samples(metrics, 'tiercel_metrics_overflow_total')).toEqual({
      [`{metric="${EVENTS}"}`]: 998,
    });
  });

  it('bounds the length of label values, on whole characters', async () => {
    const metrics = metricsOf();
    count(metrics, JSON.stringify({ 'k8s.pod.name': `${'x'.repeat(MAX_LABEL_LENGTH - 1)}🚀🚀` }));
    const [labels] = Object.keys(await samples(metrics, EVENTS));
    expect(labels).toContain(`k8s_pod_name="${'x'.repeat(MAX_LABEL_LENGTH - 1)}"`);
  });

  it('never has two series of the same labels', async () => {
    const metrics = metricsOf();
    const broken = ['a\\u0000b', 'ab', '\\ud800', '\\udfff', '\\ufffd'];
    for (const name of broken) count(metrics, `{"k8s.pod.name":"${name}"}`);
    count(metrics, '{"k8s.ns.name":"a\\u0000b","k8s.pod.name":"c"}');
    count(metrics, '{"k8s.ns.name":"a","k8s.pod.name":"b\\u0000c"}');
    const { text } = await metrics.text();
    const lines = Buffer.from(text)
      .toString()
      .split('\n')
      .filter(line => line.startsWith(`${EVENTS}{`));
    expect(lines).toHaveLength(4);
    expect(new Set(lines.map(line => line.replace(/ \d+$/, ''))).size).toBe(4);
  });
});

describe('another configuration', () => {
  it('keeps every count while the labels stay', async () => {
    const metrics = metricsOf({ custom: ['env'] });
    count(metrics, '{}');
    metrics.accepted(1);
    metrics.configure(config({ custom: ['env'], maxSeries: 1 }));
    count(metrics, '{}');
    count(metrics, '{"env":"other"}');
    expect(Object.values(await samples(metrics, EVENTS))).toEqual([2, 1]);
    expect(await samples(metrics, 'tiercel_metrics_overflow_total')).not.toEqual({});
  });

  it('starts the counter of alerts anew when its labels change, and no other', async () => {
    const metrics = metricsOf();
    count(metrics, '{}');
    metrics.accepted(3);
    metrics.configure(config({ extra: ['user.name'] }));
    count(metrics, '{"user.name":"root"}');
    const series = await samples(metrics, EVENTS);
    expect(Object.keys(series)).toHaveLength(1);
    expect(Object.keys(series)[0]).toContain('user_name="root"');
    expect(await samples(metrics, 'falcosecurity_falcosidekick_inputs_total')).toEqual({
      '{source="requests",status="accepted"}': 3,
    });
  });
});

describe('what is told by ingest and delivery', () => {
  it("counts inputs under falcosidekick's labels, refusals with their reason", async () => {
    const metrics = metricsOf();
    metrics.accepted(2);
    metrics.accepted(0);
    metrics.refused('not_json');
    metrics.refused('too_large');
    expect(await samples(metrics, 'falcosecurity_falcosidekick_inputs_total')).toEqual({
      '{source="requests",status="accepted"}': 2,
      '{source="requests",status="rejected"}': 2,
    });
    expect(await counted(metrics, 'tiercel_refusals_total')).toEqual({
      '{reason="not_json"}': 1,
      '{reason="too_large"}': 1,
    });
  });

  it('shows at 0 what alarms are made of, so that the first is seen to come', async () => {
    const metrics = metricsOf();
    metrics.output('slack');
    const buried = await samples(metrics, 'tiercel_output_buried_total');
    expect(Object.keys(buried)).toEqual(
      ['auth', 'rate_limited', 'client_error', 'server_error', 'timeout', 'network', 'payload', 'other'].map(
        reason => `{output="slack",reason="${reason}"}`,
      ),
    );
    const refused = await samples(metrics, 'tiercel_refusals_total');
    expect(Object.keys(refused)).toEqual(
      expect.arrayContaining(['{reason="not_json"}', '{reason="unauthorized"}', '{reason="spool_full"}']),
    );
    const defects = await samples(metrics, 'tiercel_defects_total');
    expect(Object.keys(defects)).toEqual(['']);
    expect(new Set(Object.values({ ...buried, ...refused, ...defects }))).toEqual(new Set([0]));
  });

  it('counts an alert as ok once and as an error at each failed try', async () => {
    const metrics = metricsOf();
    metrics.output('slack').tried(3, 20, 'server_error');
    metrics.output('slack').retried('server_error');
    metrics.output('slack').tried(3, 20, 'ok');
    for (const ms of [5, 70, 4000]) metrics.output('slack').delivered(ms);
    metrics.output('slack.soc').tried(1, 5, 'auth');
    metrics.output('slack.soc').buried('auth');
    metrics.output('slack').skipped(4);
    metrics.output('slack').breaker('half-open');
    expect(await samples(metrics, 'falcosecurity_falcosidekick_outputs_total')).toEqual({
      '{destination="slack",status="error"}': 3,
      '{destination="slack",status="ok"}': 3,
      '{destination="slack.soc",status="error"}': 1,
    });
    expect(await samples(metrics, 'tiercel_output_tries_total')).toEqual({
      '{output="slack",outcome="server_error"}': 1,
      '{output="slack",outcome="ok"}': 1,
      '{output="slack.soc",outcome="auth"}': 1,
    });
    expect(await samples(metrics, 'tiercel_output_retries_total')).toEqual({
      '{output="slack",reason="server_error"}': 1,
    });
    expect(await counted(metrics, 'tiercel_output_buried_total')).toEqual({
      '{output="slack.soc",reason="auth"}': 1,
    });
    expect(await samples(metrics, 'tiercel_output_skipped_total')).toEqual({ '{output="slack"}': 4 });
    expect(await samples(metrics, 'tiercel_output_breaker_changes_total')).toEqual({
      '{output="slack",state="half-open"}': 1,
    });
    expect(await samples(metrics, 'tiercel_output_delivery_seconds_count')).toEqual({
      '{output="slack"}': 3,
    });
    expect(await samples(metrics, 'tiercel_output_delivery_seconds_sum')).toEqual({
      '{output="slack"}': 4.075,
    });
    expect(
      (await samples(metrics, 'tiercel_output_delivery_seconds_bucket'))['{le="0.1",output="slack"}'],
    ).toBe(2);
    expect((await samples(metrics, 'tiercel_output_batch_alerts_sum'))['{output="slack"}']).toBe(6);
  });

  it('has no time to delivery take anything from the sum, whatever the clock did', async () => {
    const metrics = metricsOf();
    for (const ms of [500, -7_200_000, 250]) metrics.output('slack').delivered(ms);
    expect(await samples(metrics, 'tiercel_output_delivery_seconds_sum')).toEqual({
      '{output="slack"}': 0.75,
    });
    expect(await samples(metrics, 'tiercel_output_delivery_seconds_count')).toEqual({
      '{output="slack"}': 3,
    });
  });

  it('shows reloads, refused ones too', async () => {
    const now = { ms: 5000 };
    const metrics = metricsOf({}, { now: () => now.ms });
    now.ms = 9000;
    metrics.reloaded(false);
    const successful = () => samples(metrics, 'tiercel_config_last_reload_successful');
    const at = () => samples(metrics, 'tiercel_config_last_reload_success_timestamp_seconds');
    expect([await successful(), await at()]).toEqual([{ '': 0 }, { '': 5 }]);
    metrics.reloaded(true);
    expect([await successful(), await at()]).toEqual([{ '': 1 }, { '': 9 }]);
    expect(await samples(metrics, 'tiercel_config_reloads_total')).toEqual({
      '{result="failed"}': 1,
      '{result="ok"}': 1,
    });
  });

  it('counts templates that failed', async () => {
    const metrics = metricsOf();
    metrics.templateFailed('who');
    expect(await samples(metrics, 'tiercel_template_errors_total')).toEqual({ '{template="who"}': 1 });
  });
});

describe('what is read at a scrape', () => {
  const STATUS: OutputStatus = {
    id: 'slack',
    type: 'slack',
    state: 'failing',
    breaker: 'open',
    depth: 12,
    inFlight: 1,
    window: 64,
    waiting: 3,
    oldestAt: 4000,
    deadLetters: 2,
    dropped: 5,
    lastSuccessAt: 1500,
  };
  const SPOOL: SpoolStats = {
    entries: 100,
    bytes: 4096,
    memoryBytes: 1024,
    firstOffset: 1,
    nextOffset: 101,
    oldestAt: undefined,
    setAside: 1,
    fault: 'ENOSPC',
    full: true,
    deadLetterBytes: 8192,
  };

  it('is the state of outputs and spool at that time', async () => {
    const metrics = metricsOf({}, { now: () => 10_000 });
    const outputs = [
      STATUS,
      { ...STATUS, id: 'kafka', oldestAt: undefined, lastSuccessAt: undefined, state: 'running' as const },
    ];
    let stats = SPOOL;
    metrics.setSources({ outputs: () => outputs, spool: () => stats });
    const output = (name: string) => samples(metrics, `tiercel_output_${name}`);
    expect(await output('queue_depth')).toEqual({ '{output="slack"}': 12, '{output="kafka"}': 12 });
    expect(await output('lag_seconds')).toEqual({ '{output="slack"}': 6, '{output="kafka"}': 0 });
    expect(await output('in_flight')).toEqual({ '{output="slack"}': 1, '{output="kafka"}': 1 });
    expect(await output('dead_letters')).toEqual({ '{output="slack"}': 2, '{output="kafka"}': 2 });
    expect(await output('dropped_total')).toEqual({ '{output="slack"}': 5, '{output="kafka"}': 5 });
    expect(await output('last_success_timestamp_seconds')).toEqual({ '{output="slack"}': 1.5 });
    expect(await output('state')).toMatchObject({
      '{output="slack",state="failing"}': 1,
      '{output="slack",state="running"}': 0,
    });
    expect(await output('breaker_state')).toMatchObject({
      '{output="slack",state="open"}': 1,
      '{output="slack",state="closed"}': 0,
    });
    const spool = (name: string) => samples(metrics, `tiercel_spool_${name}`);
    expect(await spool('bytes')).toEqual({ '': 4096 });
    expect(await spool('fault')).toEqual({ '': 1 });
    expect(await spool('full')).toEqual({ '': 1 });
    expect(await spool('dead_letters_fault')).toEqual({ '': 0 });
    expect(await spool('dead_letters_bytes')).toEqual({ '': 8192 });
    expect(await spool('oldest_age_seconds')).toEqual({ '': 0 });
    expect(await spool('set_aside')).toEqual({ '': 1 });

    stats = { ...SPOOL, fault: undefined, deadLetterFault: 'the dead letters cannot be opened' };
    expect(await spool('fault')).toEqual({ '': 0 });
    expect(await spool('dead_letters_fault')).toEqual({ '': 1 });
    outputs.shift();
    expect(await output('queue_depth')).toEqual({ '{output="kafka"}': 12 });
    expect(await output('dropped_total')).toEqual({ '{output="kafka"}': 5 });
  });

  it('has the process beside it', async () => {
    const { text } = await createMetrics(config(), { version: '1.2.3' }).text();
    expect(text).toContain(`tiercel_build_info{version="1.2.3",node_version="${process.version}"} 1`);
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });
});
