/** What is read at the time of a scrape rather than counted: the state of outputs and spool. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BreakerState, OutputStatus } from '../delivery/contract.ts';
import type { SpoolStats } from '../spool/contract.ts';

/** Where the state is read. */
export interface MetricSources {
  outputs(): OutputStatus[];
  spool(): SpoolStats;
}

/** Milliseconds since an instant, as seconds; 0 when there is none or it lies ahead. */
function age(at: number | undefined, nowMs: number): number {
  return at === undefined ? 0 : Math.max(0, (nowMs - at) / 1000);
}

type OutputGauge = [
  name: string,
  help: string,
  read: (status: OutputStatus, nowMs: number) => number | undefined,
];

const OUTPUT_GAUGES: readonly OutputGauge[] = [
  ['queue_depth', 'Alerts in the log that the output has not settled.', status => status.depth],
  [
    'lag_seconds',
    'Age of the oldest alert that is not settled; 0 when there is none.',
    (status, now) => age(status.oldestAt, now),
  ],
  ['in_flight', 'Alerts being sent.', status => status.inFlight],
  ['window', 'Alerts that may be on their way at once.', status => status.window],
  ['retry_waiting', 'Alerts waiting to be tried again.', status => status.waiting],
  ['dead_letters', 'Alerts kept as dead letters.', status => status.deadLetters],
  [
    'last_success_timestamp_seconds',
    'When the output last accepted an alert.',
    status => status.lastSuccessAt && status.lastSuccessAt / 1000,
  ],
  [
    'last_failure_timestamp_seconds',
    'When a try last failed.',
    status => status.lastFailureAt && status.lastFailureAt / 1000,
  ],
];

const OUTPUT_STATES: readonly OutputStatus['state'][] = [
  'opening',
  'running',
  'paused',
  'failing',
  'stopping',
  'stopped',
];
const BREAKER_STATES: readonly BreakerState[] = ['closed', 'open', 'half-open'];

type SpoolGauge = [
  name: string,
  help: string,
  read: (stats: SpoolStats, nowMs: number) => number | undefined,
];

const SPOOL_GAUGES: readonly SpoolGauge[] = [
  ['entries', 'Alerts in the log, history included.', stats => stats.entries],
  ['bytes', 'Bytes of the log.', stats => stats.bytes],
  ['memory_bytes', 'Bytes of the log kept in memory.', stats => stats.memoryBytes],
  [
    'oldest_age_seconds',
    'Age of the oldest alert in the log, history included.',
    (stats, now) => age(stats.oldestAt, now),
  ],
  ['set_aside', 'Pieces of the log that could not be read back.', stats => stats.setAside],
  ['fault', '1 while alerts cannot be stored durably.', stats => (stats.fault === undefined ? 0 : 1)],
  ['full', '1 while alerts are refused because the log is full.', stats => Number(stats.full)],
  [
    'dead_letters_fault',
    '1 while dead letters cannot be stored or read.',
    ({ remote, deadLetterFault }) => (remote ? undefined : Number(deadLetterFault !== undefined)),
  ],
  ['dead_letters_bytes', 'Bytes that dead letters take.', ({ deadLetterBytes }) => deadLetterBytes],
  [
    'connected',
    '1 while the server that has the log can be reached.',
    ({ remote }) => remote && Number(remote.connected),
  ],
  [
    'buffering',
    '1 while alerts go into the local buffer because the server cannot take them.',
    ({ remote }) => remote && Number(remote.detour !== undefined),
  ],
  [
    'buffered_alerts',
    'Alerts in the local buffer, which no output has seen.',
    ({ remote }) => remote?.buffered,
  ],
  ['buffered_bytes', 'Bytes of the local buffer.', ({ remote }) => remote?.bufferBytes],
];

/** Registers the gauges; the function returned brings them up to date. */
export function registerGauges(registry: Registry): (sources: MetricSources, nowMs: number) => void {
  const registers = [registry];
  const outputGauges = OUTPUT_GAUGES.map(([name, help, read]) => ({
    gauge: new Gauge({ name: `tiercel_output_${name}`, help, labelNames: ['output'], registers }),
    read,
  }));
  const stateLabels = { labelNames: ['output', 'state'], registers };
  const states = new Gauge({
    name: 'tiercel_output_state',
    help: '1 for the state the output is in.',
    ...stateLabels,
  });
  const breakers = new Gauge({
    name: 'tiercel_output_breaker_state',
    help: '1 for the state of the circuit breaker.',
    ...stateLabels,
  });
  const dropped = new Counter({
    name: 'tiercel_output_dropped_total',
    help: 'Alerts dropped unsent because the log was full or they were too old.',
    labelNames: ['output'],
    registers,
  });
  // What the log has no number for is left out: a 0 would say something.
  const spoolGauges = new Map<string, Gauge>();
  const spoolGauge = (name: string, help: string) => {
    const gauge = spoolGauges.get(name) ?? new Gauge({ name: `tiercel_spool_${name}`, help, registers });
    spoolGauges.set(name, gauge);
    return gauge;
  };

  return (sources, nowMs) => {
    // Outputs that are gone leave no series behind.
    for (const metric of [...outputGauges.map(({ gauge }) => gauge), states, breakers, dropped])
      metric.reset();
    for (const status of sources.outputs()) {
      const output = status.id;
      for (const { gauge, read } of outputGauges) {
        const value = read(status, nowMs);
        if (value !== undefined) gauge.set({ output }, value);
      }
      for (const state of OUTPUT_STATES) states.set({ output, state }, state === status.state ? 1 : 0);
      for (const state of BREAKER_STATES) breakers.set({ output, state }, state === status.breaker ? 1 : 0);
      dropped.inc({ output }, status.dropped);
    }
    const stats = sources.spool();
    for (const [name, help, read] of SPOOL_GAUGES) {
      const value = read(stats, nowMs);
      if (value !== undefined) spoolGauge(name, help).set(value);
    }
  };
}
