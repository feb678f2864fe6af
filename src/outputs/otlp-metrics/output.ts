import type { Alert, Cancellation, Host, Output } from '../../core/contract.ts';
import type { OtlpExporter } from '../_kit/otlp/exporter.ts';
import type { Message } from '../_kit/protobuf.ts';
import { untilAborted } from '../_kit/settle.ts';
import { AlertCounter, fieldNames, type Series } from './counter.ts';
import { toSeries, toSum } from './sum.ts';

const SCOPE = 'falcosecurity.falco.otlpmetrics.meter';
const RULES = 'falcosecurity_falco_rules_matches_total';
/** Below the time that the core gives an output to close. */
const FLUSH_MS = 3000;

interface CountersOptions {
  exporter: OtlpExporter;
  host: Host;
  /** Output fields that become attributes. */
  extra: readonly string[];
  intervalMs: number;
}

/**
 * Counts alerts and exports the sums: at once those that a batch has changed, so that an alert is done with only when
 * the receiver has its count, and on a period all of them, with the daemon's own counts.
 */
export class Counters implements Output {
  readonly #options: CountersOptions;
  readonly #alerts = new AlertCounter();
  readonly #startMs: number;
  readonly #timer: NodeJS.Timeout;
  /** One export after the other: a later sum must not be overtaken by an earlier one. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The daemon's counts as they were exported last. */
  #exported = '[]';
  #failing = false;
  #closed = false;

  constructor(options: CountersOptions) {
    this.#options = options;
    this.#startMs = options.host.clock.now();
    this.#timer = setInterval(() => {
      void this.#exportAll(AbortSignal.timeout(options.intervalMs + FLUSH_MS));
    }, options.intervalMs).unref();
  }

  async send(alerts: readonly Alert[], { signal }: { signal: Cancellation }): Promise<void> {
    const { host, extra } = this.#options;
    const changed = this.#alerts.count(alerts, fieldNames(host.customFields(), extra));
    await this.#export([this.#sum(RULES, changed)], signal);
  }

  probe(signal: Cancellation): Promise<void> {
    return this.#options.exporter.probe(signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    if (JSON.stringify(this.#counts()) !== this.#exported) {
      await this.#exportAll(AbortSignal.timeout(FLUSH_MS));
    }
    this.#options.exporter.close();
  }

  /** Never rejects: what could not be exported is part of the next sums. */
  async #exportAll(signal: Cancellation): Promise<void> {
    const { host } = this.#options;
    const counts = this.#counts();
    const metrics = [
      this.#sum(RULES, this.#alerts.series),
      // Counted since the process started, while the output may be younger.
      this.#sum('falcosecurity_falcosidekick_inputs', toSeries(counts, 'inputs'), performance.timeOrigin),
      this.#sum('falcosecurity_falcosidekick_outputs', toSeries(counts, 'outputs'), performance.timeOrigin),
    ].filter(({ sum }) => (sum as { dataPoints: unknown[] }).dataPoints.length > 0);
    if (metrics.length === 0) return;
    try {
      await this.#export(metrics, signal);
      this.#exported = JSON.stringify(counts);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        host.log.warn(
          { output: host.id, error: (error as Error).message },
          'metrics not exported; trying again',
        );
      }
      this.#failing = true;
    }
  }

  #export(metrics: readonly Message[], signal: Cancellation): Promise<void> {
    const { exporter, host } = this.#options;
    const run = this.#turn.then(async () => {
      const refused = await exporter.export(SCOPE, metrics, signal);
      // Sums are not alerts: the next ones hold what these did.
      if (refused) host.log.warn({ output: host.id, error: refused.message }, 'metrics refused');
    });
    this.#turn = run.catch(() => {});
    return untilAborted(run, signal);
  }

  /** The daemon's counts, but for those of this output: exports would give each other reason for ever. */
  #counts() {
    const { host } = this.#options;
    return (host.counts?.() ?? []).filter(({ labels }) => labels.destination !== host.id);
  }

  #sum(name: string, series: readonly Series[], startMs = this.#startMs): Message {
    return toSum(name, series, { startMs, nowMs: this.#options.host.clock.now() });
  }
}
