import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { always, HttpSink } from '../support/http-sink.ts';
import { readUntil } from '../support/services/http.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';
import {
  checkMetrics,
  missingPrometheus,
  type Prometheus,
  startPrometheus,
} from '../support/services/prometheus.ts';

describeWith('prometheus', missingPrometheus(), () => {
  const cleanup: (() => Promise<unknown>)[] = [];
  let daemon: Daemon;
  let prometheus: Prometheus;
  let url: string;
  const rule = 'Änderung "kritisch" \\ <x>\n& {y="z"} 日本語 😀';

  beforeAll(async () => {
    const folder = await scratch('scrape');
    cleanup.push(() => folder.remove());
    const sink = await HttpSink.listen(always(200, 'ok'));
    cleanup.push(() => sink.close());
    const configFile = join(folder.path, 'tiercel.yaml');
    const config = {
      listenaddress: '127.0.0.1',
      listenport: 0,
      log: { level: 'error', format: 'json' },
      spool: { path: join(folder.path, 'data') },
      customfields: { team: 'blue' },
      prometheus: { extralabels: ['proc.aname[2]'] },
      webhook: { address: sink.origin },
    };
    await writeFile(configFile, JSON.stringify(config));
    daemon = await startDaemon({ configFile, env: {} });
    cleanup.push(() => daemon.stop());
    url = `http://127.0.0.1:${daemon.listening.port}`;
    prometheus = await startPrometheus(`127.0.0.1:${daemon.listening.port}`);
    cleanup.push(() => prometheus.stop());
    for (let count = 0; count < 3; count++) {
      const alert = {
        rule,
        priority: 'critical',
        time: '2026-03-04T10:15:02Z',
        output: 'o',
        output_fields: { 'proc.aname[2]': 'a\\n"b"\n', 'k8s.ns.name': 7 },
      };
      await fetch(url, { method: 'POST', body: JSON.stringify(alert) });
    }
    await fetch(url, { method: 'POST', body: 'no alert' });
    await sink.until(() => sink.requests.length === 3);
  });
  afterAll(async () => {
    for (const clean of cleanup.reverse()) await clean();
  });

  test('reads the metrics: every label arrives as it was', async () => {
    const events = await readUntil(
      () => prometheus.query('falcosecurity_falcosidekick_falco_events_total'),
      samples => samples[0]?.value[1] === '3',
    );
    expect(events).toHaveLength(1);
    expect(events[0]!.metric).toMatchObject({
      rule,
      priority: '6',
      priority_raw: 'critical',
      source: 'syscalls',
      hostname: 'unknown',
      k8s_ns_name: '7',
      team: 'blue',
      proc_aname_2: 'a\\n"b"\n',
    });
    const [up] = await prometheus.query('up');
    expect(up!.value[1]).toBe('1');
  });

  test('counts what came in and went out', async () => {
    const query = (expression: string) =>
      readUntil(
        () => prometheus.query(expression),
        samples => samples.length > 0,
      );
    const [sent] = await query(
      'falcosecurity_falcosidekick_outputs_total{destination="webhook",status="ok"} == 3',
    );
    expect(sent).toBeDefined();
    await query('falcosecurity_falcosidekick_inputs_total{status="rejected"} == 1');
    await query('histogram_quantile(0.5, tiercel_output_try_seconds_bucket{output="webhook"}) > 0');
  });

  test('has nothing to complain about', async () => {
    const exposition = await (await fetch(`${url}/metrics`)).text();
    const complaints = (await checkMetrics(exposition)).split('\n').filter(Boolean);
    // Those have their names from prom-client.
    expect(complaints.filter(line => !line.startsWith('nodejs_'))).toEqual([]);
    expect(exposition).toContain('tiercel_output_delivery_seconds_bucket');
  });
});
