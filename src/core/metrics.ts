/**
 * The one place with metric instruments: falcosidekick's names and labels, so that dashboards keep working, and
 * Tiercel's own with the prefix `tiercel_`. docs/metrics.md lists them all.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Alert } from './alert/alert.ts';
import type { Count, Logger } from './contract.ts';
import type { IngestObserver, RequestRefusal } from './http-server/backend.ts';
import { CappedCounter } from './metrics/capped-counter.ts';
import {
  eventLabelNames,
  eventValues,
  type FieldLabel,
  fieldLabels,
  type LabelConfig,
  PRIORITY_LABELS,
} from './metrics/event-labels.ts';
import { type MetricSources, registerGauges } from './metrics/gauges.ts';
import { createInstruments, type Instruments } from './metrics/instruments.ts';
import { OutputMetrics } from './metrics/output-metrics.ts';

export type { MetricSources } from './metrics/gauges.ts';

export interface MetricsDeps {
  /** Milliseconds since the epoch; the system's clock when absent. */
  now?(): number;
  /** Tiercel's version, for `tiercel_build_info`. */
  version?: string;
  /** Told of fields that cannot become labels. */
  log?: Logger;
  /** False leaves out `process_*` and `nodejs_*`, which watch the whole process. */
  process?: boolean;
}

/** Alerts that are counted together: one by one they take five times as long, on a processor that sleeps in between. */
const COUNTED_AT_ONCE = 32;
/** Bytes of alerts that may be held for that. */
const MOST_HELD_BYTES = 256 * 1024;

const EVENTS = 'falcosecurity_falcosidekick_falco_events_total';

/** Builds the metrics of a configuration; a whole `Config` will do. */
export function createMetrics(config: LabelConfig, deps: MetricsDeps = {}): Metrics {
  return new Metrics(config, deps);
}

/** All metrics of the daemon. Counting is cheap and never throws. */
export class Metrics implements IngestObserver {
  readonly #registry = new Registry();
  readonly #instruments: Instruments;
  readonly #outputs = new Map<string, OutputMetrics>();
  readonly #refreshGauges: (sources: MetricSources, nowMs: number) => void;
  readonly #now: () => number;
  readonly #log: Logger | undefined;
  #sources: MetricSources | undefined;
  #labels: readonly FieldLabel[] = [];
  #events: CappedCounter | undefined;
  /** Taken, and not counted yet. */
  #taken: Alert[] = [];
  #takenBytes = 0;

  constructor(config: LabelConfig, deps: MetricsDeps) {
    this.#now = deps.now ?? Date.now;
    this.#log = deps.log;
    this.#instruments = createInstruments(this.#registry);
    this.#refreshGauges = registerGauges(this.#registry);
    this.#instruments.buildInfo.set({ version: deps.version ?? '', node_version: process.version }, 1);
    this.#loaded();
    if (deps.process !== false) {
      // The default of 10 ms wakes an idle process a hundred times a second.
      collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 50 });
    }
    this.configure(config);
  }

  /** Takes over another configuration. All counts go on, but those of alerts start anew when their labels change. */
  configure(config: LabelConfig): void {
    const { labels, leftOut } = fieldLabels(config);
    const { maxSeries } = config.metrics;
    this.#countTaken();
    const same = JSON.stringify(labels) === JSON.stringify(this.#labels);
    if (this.#events && same) {
      this.#events.maxSeries = maxSeries;
      return;
    }
    for (const field of leftOut) this.#log?.warn({ field }, 'the name of this field is no label name');
    this.#labels = labels;
    this.#registry.removeSingleMetric(EVENTS);
    this.#events = new CappedCounter({
      name: EVENTS,
      help: 'Alerts taken.',
      labelNames: eventLabelNames(labels),
      registry: this.#registry,
      maxSeries,
      keptLabels: PRIORITY_LABELS,
      overflowed: () => this.#instruments.overflows.inc([EVENTS]),
    });
  }

  /** Where the state of outputs and spool is read at each scrape. */
  setSources(sources: MetricSources): void {
    this.#sources = sources;
  }

  /** Counts an alert that was taken. */
  event(alert: Alert): void {
    this.#takenBytes += alert.byteLength;
    const held = this.#taken.push(alert);
    if (held >= COUNTED_AT_ONCE || this.#takenBytes > MOST_HELD_BYTES) this.#countTaken();
  }

  accepted(alerts: number): void {
    if (alerts > 0) this.#instruments.inputs.inc(['requests', 'accepted'], alerts);
  }

  refused(reason: RequestRefusal): void {
    this.#instruments.inputs.inc(['requests', 'rejected']);
    this.#instruments.refusals.inc([reason]);
  }

  /** Counts what becomes of an output's alerts. */
  output(id: string): OutputMetrics {
    const known = this.#outputs.get(id);
    if (known) return known;
    const output = new OutputMetrics(id, this.#instruments);
    this.#outputs.set(id, output);
    return output;
  }

  /** A template could not be rendered for an alert: that of a templated field, or of an output. */
  templateFailed(template: string): void {
    this.#instruments.templateErrors.inc([template]);
  }

  /** Something threw where nothing should. */
  defect(): void {
    this.#instruments.defects.inc([]);
  }

  /** The configuration was read again, and taken or refused. */
  reloaded(ok: boolean): void {
    this.#instruments.reloads.inc([ok ? 'ok' : 'failed']);
    if (ok) this.#loaded();
    else this.#instruments.reloadSuccessful.set(0);
  }

  /** The counts of what came in and went out, for outputs that pass them on. */
  counts(): Count[] {
    const { inputs, refusals, outputs } = this.#instruments;
    return [
      ...inputs.counts().map(count => ({ of: 'inputs' as const, ...count })),
      ...refusals.counts().map(count => ({ of: 'refusals' as const, ...count })),
      ...outputs.counts().map(count => ({ of: 'outputs' as const, ...count })),
    ];
  }

  /** Everything in Prometheus' text format 0.0.4. */
  async text(): Promise<{ contentType: string; text: string }> {
    this.#countTaken();
    if (this.#sources) this.#refreshGauges(this.#sources, this.#now());
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #countTaken(): void {
    for (const alert of this.#taken) this.#events?.inc(eventValues(alert, this.#labels));
    this.#taken = [];
    this.#takenBytes = 0;
  }

  #loaded(): void {
    this.#instruments.reloadSuccessful.set(1);
    this.#instruments.reloadSuccessAt.set(this.#now() / 1000);
  }
}
