import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { list, MAX_WAIT_MS, wait } from '../../core/keys.ts';
import { createExporter } from '../_kit/otlp/exporter.ts';
import { METRICS } from '../_kit/otlp/messages.ts';
import { otlpKeys, readSettings, settingsProblems } from '../_kit/otlp/settings.ts';
import { Counters } from './output.ts';

const MIN_INTERVAL_MS = 100;

export default defineOutput({
  name: 'otlp.metrics',
  title: 'OpenTelemetry metrics',
  category: 'metrics',
  docs: "Exports counters over OTLP: alerts by rule, priority, source, hostname, tags and custom fields as they are delivered, and every `interval` also Tiercel's own counts of alerts received and sent, see https://opentelemetry.io/docs/specs/otlp.",
  http: true,
  keys: z.object({
    ...otlpKeys('/v1/metrics'),
    interval: wait(
      'Time between two exports of all counters. The variable OTEL_METRIC_EXPORT_INTERVAL (in milliseconds) goes first.',
      '60s',
    ),
    extraattributes: list('Output fields that become attributes: `proc.name` as `proc_name`.'),
    extraattributeslist: list('More of them; falcosidekick has this name too.'),
  }),
  enabled: config => config.endpoint !== '',
  check: settingsProblems,
  // Many alerts make few points; what waits is not counted at the receiver yet.
  batch: { items: 1000, bytes: 4 * 1024 * 1024, waitMs: 2000 },
  concurrency: 1,
  async open(config, host) {
    const settings = readSettings('metrics', config);
    return new Counters({
      exporter: createExporter(METRICS, '0.1.0', settings, host),
      host,
      extra: [...config.extraattributes, ...config.extraattributeslist],
      intervalMs: Math.min(Math.max(MIN_INTERVAL_MS, settings.intervalMs ?? config.interval), MAX_WAIT_MS),
    });
  },
  templateBody: () => ({ refused: 'counters are made of many alerts: a template for one has no place here' }),
  example: { endpoint: 'http://collector.example:4318/v1/metrics' },
});
