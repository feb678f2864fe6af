/** Counts what becomes of one output's alerts. */
import type { BreakerState, DeliveryObserver } from '../delivery/contract.ts';
import { FAILURE_REASONS, type FailureReason } from '../errors.ts';
import type { Series } from './capped-counter.ts';
import type { Instruments } from './instruments.ts';
import type { OutputSeries } from './output-histogram.ts';

/** What a try is counted in. */
interface TrySeries {
  alerts: Series;
  tries: Series;
  trySeconds: OutputSeries;
  batchAlerts: OutputSeries;
}

export class OutputMetrics implements DeliveryObserver {
  readonly #output: string;
  readonly #instruments: Instruments;
  // Looked up once: what goes well is counted for each alert.
  #accepted: TrySeries | undefined;
  #deliverySeconds: OutputSeries | undefined;

  constructor(output: string, instruments: Instruments) {
    this.#output = output;
    this.#instruments = instruments;
    // Shown before they count, as those in instruments.ts are.
    for (const reason of FAILURE_REASONS) instruments.buried.series([output, reason]);
  }

  tried(alerts: number, durationMs: number, outcome: 'ok' | FailureReason): void {
    if (outcome === 'ok') this.#accepted ??= this.#of('ok');
    const series = outcome === 'ok' ? this.#accepted! : this.#of(outcome);
    series.alerts.value += alerts;
    series.tries.value++;
    series.trySeconds.observe(durationMs / 1000);
    series.batchAlerts.observe(alerts);
  }

  delivered(latencyMs: number): void {
    this.#deliverySeconds ??= this.#instruments.deliverySeconds.of(this.#output);
    // Below zero where the clock was set back meanwhile: a sum that falls is a restart to whoever reads it.
    this.#deliverySeconds.observe(Math.max(0, latencyMs) / 1000);
  }

  retried(reason: FailureReason): void {
    this.#instruments.retries.inc([this.#output, reason]);
  }

  buried(reason: FailureReason): void {
    this.#instruments.buried.inc([this.#output, reason]);
  }

  skipped(alerts: number): void {
    if (alerts > 0) this.#instruments.skipped.inc([this.#output], alerts);
  }

  breaker(state: BreakerState): void {
    this.#instruments.breakerMoves.inc([this.#output, state]);
  }

  #of(outcome: 'ok' | FailureReason): TrySeries {
    const { outputs, tries, trySeconds, batchAlerts } = this.#instruments;
    return {
      alerts: outputs.series([this.#output, outcome === 'ok' ? 'ok' : 'error']),
      tries: tries.series([this.#output, outcome]),
      trySeconds: trySeconds.of(this.#output),
      batchAlerts: batchAlerts.of(this.#output),
    };
  }
}
