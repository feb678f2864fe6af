/** Everything that is counted or timed as it happens. */
import { Gauge, type Registry } from 'prom-client';
import { REQUEST_REFUSALS } from '../http-server/backend.ts';
import { CappedCounter } from './capped-counter.ts';
import { OutputHistogram } from './output-histogram.ts';

// From a delivery at once to one after a day of retries.
const DELIVERY_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400,
];
const TRY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const BATCH_ALERTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

/** Registers the instruments. Their labels take values from the configuration only, so they need no limit. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new CappedCounter({ name, help, labelNames, registry, maxSeries: Number.POSITIVE_INFINITY });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new OutputHistogram({ name, help, buckets, registry });
  // What alarms are made of is shown before it counts: Prometheus' `increase` takes no notice of how a series begins.
  const refusals = counter('tiercel_refusals_total', 'Requests and alerts refused.', 'reason');
  for (const reason of REQUEST_REFUSALS) refusals.series([reason]);
  const defects = counter(
    'tiercel_defects_total',
    'Errors that nothing was prepared for; the log has their place.',
  );
  defects.series([]);
  return {
    inputs: counter('falcosecurity_falcosidekick_inputs_total', 'Alerts received.', 'source', 'status'),
    outputs: counter(
      'falcosecurity_falcosidekick_outputs_total',
      'Alerts sent; each failed try of an alert counts as an error.',
      'destination',
      'status',
    ),
    refusals,
    tries: counter(
      'tiercel_output_tries_total',
      'Tries, of one alert or one batch each.',
      'output',
      'outcome',
    ),
    retries: counter(
      'tiercel_output_retries_total',
      'Alerts put back to be tried again.',
      'output',
      'reason',
    ),
    buried: counter('tiercel_output_buried_total', 'Alerts that became dead letters.', 'output', 'reason'),
    skipped: counter(
      'tiercel_output_skipped_total',
      'Alerts not for the output: below its minimum priority or not matched.',
      'output',
    ),
    breakerMoves: counter(
      'tiercel_output_breaker_changes_total',
      'Moves of the circuit breaker, by the state it came to.',
      'output',
      'state',
    ),
    templateErrors: counter(
      'tiercel_template_errors_total',
      'Templates that could not be rendered for an alert, by templated field or output.',
      'template',
    ),
    defects,
    reloads: counter('tiercel_config_reloads_total', 'Reloads of the configuration.', 'result'),
    overflows: counter(
      'tiercel_metrics_overflow_total',
      'Counts that went to a series of counted-together values.',
      'metric',
    ),
    deliverySeconds: histogram(
      'tiercel_output_delivery_seconds',
      'Time from ingest to acceptance by the far side.',
      DELIVERY_SECONDS,
    ),
    trySeconds: histogram('tiercel_output_try_seconds', 'Duration of a try.', TRY_SECONDS),
    batchAlerts: histogram('tiercel_output_batch_alerts', 'Alerts in a try.', BATCH_ALERTS),
    reloadSuccessful: new Gauge({
      name: 'tiercel_config_last_reload_successful',
      help: '1 when the newest configuration is in use, 0 when it was refused.',
      registers,
    }),
    reloadSuccessAt: new Gauge({
      name: 'tiercel_config_last_reload_success_timestamp_seconds',
      help: 'When the configuration in use was loaded.',
      registers,
    }),
    buildInfo: new Gauge({
      name: 'tiercel_build_info',
      help: 'Always 1.',
      labelNames: ['version', 'node_version'],
      registers,
    }),
  };
}

export type Instruments = ReturnType<typeof createInstruments>;
