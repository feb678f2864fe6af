/** What it costs to take an alert, with no output. */
import type { Scenario } from '../scenario.ts';

function ingest(connections: number): Scenario['play'] {
  return async stage => {
    await stage.open([]);
    await stage.warmUp({ connections });
    stage.daemon.takePeakMib();
    const result = await stage.measure('', () => stage.load({ connections, durationMs: stage.ms(8) }));
    stage.set('cpu_us_per_alert', (result.usage.cpuSeconds * 1e6) / result.accepted);
    stage.reportIngest('', result);
    stage.set('peak_rss_mib', stage.daemon.takePeakMib());
  };
}

export const ingestScenarios: Scenario[] = [
  { name: 'S1', title: 'ingest only, 64 connections, closed loop', play: ingest(64) },
  { name: 'S1b', title: 'ingest only, one connection, one alert at a time', play: ingest(1) },
];
