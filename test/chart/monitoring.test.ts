import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runProgram } from '../support/run-program.ts';
import { CHART, missingHelm, only, renderSet } from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';
import { findProgram, scratch } from '../support/services/process.ts';
import { missingPrometheus } from '../support/services/prometheus.ts';
import { scrapeOfEverything, scrapeWithNats } from './scrape.ts';

/** Names of metrics in an expression: what is neither a function nor a label. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{[^}]*\}/g, '{}')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
    .replaceAll(/\[[^\]]*\]/g, '');
  const names = [...bare.matchAll(/[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b/g)].map(([name]) => name);
  return names
    .filter(name => /_/.test(name) || name === 'up')
    .filter(name => !/^(histogram|label|group)_/.test(name));
}

/** Names of the series in a scrape, and the labels of each. */
function seriesIn(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    // A counter that has never counted has no series yet, but a type.
    const [, typed] = /^# TYPE (\S+) counter$/.exec(line) ?? [];
    const [, name = typed, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = found.get(name) ?? new Set();
    for (const [, label] of labels.matchAll(/([a-zA-Z_]\w*)="/g)) known.add(label!);
    found.set(name, known);
  }
  return found;
}

/** Labels that an expression asks for, besides those that Prometheus adds. */
function labelsIn(expression: string): { metric: string; labels: string[] }[] {
  const added = new Set(['job', 'namespace', 'pod', 'instance', 'le']);
  const used = [...expression.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)];
  return used.map(([, metric, inside]) => ({
    metric: metric!,
    labels: [...inside!.matchAll(/([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)/g)]
      .map(([, label]) => label!)
      .filter(label => !added.has(label)),
  }));
}

async function dashboardExpressions(): Promise<string[]> {
  const dashboard = JSON.parse(await readFile(join(CHART, 'files/dashboard.json'), 'utf8'));
  const panels = dashboard.panels as { targets?: { expr: string }[] }[];
  const variables = dashboard.templating.list as { query?: { query?: string } }[];
  return [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...variables.flatMap(({ query }) => /label_values\((.*), \w+\)/.exec(query?.query ?? '')?.[1] ?? []),
  ];
}

async function ruleExpressions(): Promise<string[]> {
  const { spec } = only(await renderSet('falcosidekick-own-file'), 'PrometheusRule');
  return (spec.groups[0].rules as { expr: string }[]).map(({ expr }) => expr);
}

describeWith('rules and dashboard', missingHelm(), () => {
  let series: Map<string, Set<string>>;
  beforeAll(async () => {
    series = seriesIn((await scrapeOfEverything()) + (await scrapeWithNats()));
  });

  test.each([
    ['rule', ruleExpressions],
    ['panel', dashboardExpressions],
  ])('every metric and label of every %s is in a scrape of the running daemon', async (_, expressions) => {
    const all = await expressions();
    expect(all.length).toBeGreaterThan(10);
    for (const expression of all) {
      const metrics = metricsIn(expression);
      expect(metrics.length, expression).toBeGreaterThan(0);
      for (const metric of metrics)
        if (metric !== 'up') expect([...series.keys()], expression).toContain(metric);
      for (const { metric, labels } of labelsIn(expression)) {
        for (const label of labels) expect([...(series.get(metric) ?? [])], expression).toContain(label);
      }
    }
  });

  test('a metric that there is not would be found', () => {
    expect(metricsIn('sum by (output) (rate(tiercel_nothing_total{job="a"}[5m])) > 0')).toEqual([
      'tiercel_nothing_total',
    ]);
    expect(series.has('tiercel_nothing_total')).toBe(false);
  });
});

describeWith('promtool', missingHelm() ?? missingPrometheus(), () => {
  let folder: Awaited<ReturnType<typeof scratch>>;
  beforeAll(async () => {
    folder = await scratch('rules');
  });
  afterAll(() => folder.remove());

  test.each(['monitoring', 'falcosidekick-own-file'])('takes the rules of %s', async set => {
    const { spec } = only(await renderSet(set), 'PrometheusRule');
    const file = join(folder.path, `${set}.yaml`);
    await writeFile(file, stringify(spec));
    const { code, stdout, stderr } = await runProgram(findProgram('promtool')!, ['check', 'rules', file]);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
    const names = (spec.groups[0].rules as { alert: string }[]).map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['TiercelAbsent', 'TiercelOutputBehind', 'FalcoErrorOutputEventsRateHigh']),
    );
    expect(names.includes('FalcoWarningEventsRateHigh')).toBe(set !== 'monitoring');
  });

  test('counts what replicas share in the panels once', async () => {
    const shared = /tiercel_output_(queue_depth|dead_letters|dropped_total)/;
    const panels = (await dashboardExpressions()).filter(
      expr => shared.test(expr) && !expr.startsWith('tiercel'),
    );
    expect(panels.length).toBe(5);
    // Two replicas with logs of their own, and two that share one on NATS.
    const replicas = [
      ...['disk-0', 'disk-1'].map(pod => `job="disk",instance="${pod}"`),
      ...['nats-0', 'nats-1'].map(pod => `job="nats",instance="${pod}"`),
    ];
    const input_series = replicas.flatMap(labels => [
      ...['queue_depth', 'dead_letters'].map(name => ({
        series: `tiercel_output_${name}{${labels},output="slack"}`,
        values: '7x60',
      })),
      { series: `tiercel_output_dropped_total{${labels},output="slack"}`, values: '0+1.75x60' },
      ...(labels.includes('nats') ? [{ series: `tiercel_spool_connected{${labels}}`, values: '1x60' }] : []),
    ]);
    const values = (job: string, value: number) =>
      panels.map(panel => ({
        expr: panel
          .replaceAll('$job', job)
          .replaceAll('$output', '.*')
          .replaceAll(/\[1[dh]\]/g, '[1m]'),
        eval_time: '10m',
        exp_samples: [{ labels: panel.startsWith('sum(') ? '{}' : '{output="slack"}', value }],
      }));
    const promql_expr_test = [...values('disk', 14), ...values('nats', 7)];
    const file = join(folder.path, 'panels.yaml');
    await writeFile(file, stringify({ tests: [{ interval: '15s', input_series, promql_expr_test }] }));
    const { code, stdout, stderr } = await runProgram(findProgram('promtool')!, ['test', 'rules', file]);
    expect(code, stdout + stderr).toBe(0);
  });

  test('sees the rules fire, and be quiet when all is well', async () => {
    const { spec } = only(await renderSet('falcosidekick-own-file'), 'PrometheusRule');
    const rules = join(folder.path, 'fire.yaml');
    await writeFile(rules, stringify(spec));
    const labels = 'job="falco-tiercel",namespace="falco",pod="falco-tiercel-0"';
    const input = (name: string, values: string, more = '') => ({
      series: `${name}{${labels}${more}}`,
      values,
    });
    const alert = (alertname: string, at: string, expected: Record<string, string>[]) => ({
      eval_time: at,
      alertname,
      exp_alerts: expected.map(exp_labels => ({ exp_labels })),
    });
    const tests = {
      rule_files: [rules],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            input('up', '1x60'),
            input('tiercel_output_lag_seconds', '400x60', ',output="slack"'),
            input('tiercel_output_dropped_total', '0x10 5x50', ',output="slack"'),
            // Delivered alerts stay in the log as history.
            input('tiercel_spool_oldest_age_seconds', '500000x60'),
            input('tiercel_spool_fault', '0x60'),
            input('tiercel_spool_full', '0x20 1x40'),
            input('tiercel_spool_dead_letters_fault', '0x10 1x50'),
          ],
          promql_expr_test: [
            {
              expr: 'count(ALERTS{alertname="TiercelOutputBehind",alertstate="firing"})',
              eval_time: '30m',
              exp_samples: [{ labels: '{}', value: 1 }],
            },
            {
              expr: 'count(ALERTS{alertname="TiercelAlertsDropped",alertstate="firing"})',
              eval_time: '30m',
              exp_samples: [{ labels: '{}', value: 1 }],
            },
            {
              expr: 'count(ALERTS{alertname="TiercelLogFull",alertstate="firing",pod="falco-tiercel-0"})',
              eval_time: '30m',
              exp_samples: [{ labels: '{}', value: 1 }],
            },
            {
              expr: 'count(ALERTS{alertname="TiercelDeadLettersFault",alertstate="firing"})',
              eval_time: '30m',
              exp_samples: [{ labels: '{}', value: 1 }],
            },
            { expr: 'count(ALERTS{alertname="TiercelAbsent"})', eval_time: '30m', exp_samples: [] },
          ],
          alert_rule_test: [
            alert('TiercelSpoolFault', '30m', []),
            alert('TiercelAbsent', '30m', []),
            alert('TiercelLogFull', '20m', []),
            alert('TiercelDeadLettersFault', '10m', []),
            alert('TiercelAlertsWaitLong', '30m', []),
          ],
        },
        {
          interval: '1m',
          input_series: [
            input('tiercel_output_lag_seconds', '43300x60', ',output="slack"'),
            input('tiercel_spool_buffering', '1x60'),
          ],
          promql_expr_test: [
            {
              expr: 'count(ALERTS{alertname="TiercelBuffering",alertstate="firing",pod="falco-tiercel-0"})',
              eval_time: '30m',
              exp_samples: [{ labels: '{}', value: 1 }],
            },
            {
              expr: 'count(ALERTS{alertname="TiercelAlertsWaitLong",alertstate="firing",output="slack"})',
              eval_time: '30m',
              exp_samples: [{ labels: '{}', value: 1 }],
            },
          ],
        },
      ],
    };
    const file = join(folder.path, 'tests.yaml');
    await writeFile(file, stringify(tests));
    const { code, stdout, stderr } = await runProgram(findProgram('promtool')!, ['test', 'rules', file]);
    expect(code, stdout + stderr).toBe(0);
  });
});
