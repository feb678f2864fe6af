/** What it costs to take an alert, with no output. */
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

function ingest(connections: number): Pick<Scenario, 'play' | 'steady'> {
  const open = async (stage: Stage) => {
    await stage.open([]);
    await stage.warmUp({ connections });
  };
  return {
    steady: { open, load: { connections } },
    async play(stage) {
      await open(stage);
      stage.daemon.takePeakMib();
      const result = await stage.measure('', () => stage.load({ connections, durationMs: stage.ms(8) }));
      stage.set('cpu_us_per_alert', (result.usage.cpuSeconds * 1e6) / result.accepted);
      stage.reportIngest('', result);
      stage.set('peak_rss_mib', stage.daemon.takePeakMib());
    },
  };
}

export const ingestScenarios: Scenario[] = [
  { name: 'S1', title: 'ingest only, 64 connections, closed loop', ...ingest(64) },
  { name: 'S1b', title: 'ingest only, one connection, one alert at a time', ...ingest(1) },
];
