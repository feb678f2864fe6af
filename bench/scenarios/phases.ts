/** Phases that several scenarios have in common. */
import type { LoadPhase } from '../load.ts';
import type { Sink } from '../sink.ts';
import type { Stage } from '../stage.ts';

const DRAIN = { withinMs: 20_000, idleMs: 3000 };

/**
 * The most alerts that come out at the other end: at most `window` of them are on their way, so that a daemon that
 * answers at once cannot hide a growing queue.
 */
export async function measureMaximum(stage: Stage, window: number): Promise<void> {
  const { tally } = stage.sinks[0]!;
  const before = tally.count('delivered');
  const result = await stage.measure('max_', async () => {
    const load = await stage.load({ window, durationMs: stage.ms(8) });
    return { ...load, delivered: tally.count('delivered') - before };
  });
  const { delivered, usage } = result;
  stage.set('max_delivered_per_s', delivered / usage.seconds);
  stage.set('max_cpu_us_per_delivered', (usage.cpuSeconds * 1e6) / delivered);
  await stage.drain(stage.sinks, result, DRAIN);
  stage.set('max_lost', tally.lostOf(stage.ledger, result));
  if (result.stalls > 0) stage.set('max_stalls', result.stalls);
}

/** A short stretch of a load: CPU time per alert, in microseconds. */
export async function costOf(stage: Stage, load: Partial<LoadPhase>): Promise<number> {
  const result = await stage.measure('', async () => {
    const sent = await stage.load({ durationMs: stage.ms(2), ...load });
    await stage.drain(stage.sinks, sent, DRAIN);
    return sent;
  });
  return (result.usage.cpuSeconds * 1e6) / result.accepted;
}

export interface RatePhase {
  /** Goes before the names of the figures. */
  prefix?: string;
  perSecond: number;
  seconds: number;
  /** Those that have to get the alerts; all of them if absent. */
  sinks?: readonly Sink[];
}

/** A steady rate; what arrives, when, and at what cost. */
export async function measureRate(
  stage: Stage,
  { prefix = '', perSecond, seconds, sinks = stage.sinks }: RatePhase,
): Promise<void> {
  for (const { tally } of sinks) tally.reset('duplicates', 'failed', 'unmarked');
  stage.daemon.takePeakMib();
  const result = await stage.measure(prefix, async () => {
    const load = await stage.load({ perSecond, durationMs: stage.ms(seconds) });
    await stage.drain(sinks, load, DRAIN);
    return load;
  });
  const cpuMicros = result.usage.cpuSeconds * 1e6;
  stage.set(`${prefix}cpu_us_per_alert`, cpuMicros / result.accepted);
  stage.reportIngest(prefix, result);
  stage.reportArrival(prefix, sinks, result);
  if (sinks.length > 1) {
    stage.set(`${prefix}cpu_us_per_delivery`, cpuMicros / stage.figures.get(`${prefix}delivered`)!);
  }
  stage.set(`${prefix}peak_rss_mib`, stage.daemon.takePeakMib());
}
