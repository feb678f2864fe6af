/** What it costs to take an alert, with no output. */
import type { LoadPhase } from '../load.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

function ingest(load: Partial<LoadPhase>): Pick<Scenario, 'play' | 'steady'> {
  const open = async (stage: Stage) => {
    await stage.open([]);
    await stage.warmUp(load);
  };
  return {
    steady: { open, load },
    async play(stage) {
      await open(stage);
      stage.daemon.takePeakMib();
      const result = await stage.measure('', () => stage.load({ ...load, durationMs: stage.ms(8) }));
      stage.set('cpu_us_per_alert', (result.usage.cpuSeconds * 1e6) / result.accepted);
      stage.reportIngest('', result);
      stage.set('peak_rss_mib', stage.daemon.takePeakMib());
    },
  };
}

const ONE_AT_A_TIME = 'ingest only, one connection, one alert at a time';

export const ingestScenarios: Scenario[] = [
  { name: 'S1', title: 'ingest only, 64 connections, closed loop', ...ingest({ connections: 64 }) },
  { name: 'S1b', title: ONE_AT_A_TIME, ...ingest({ connections: 1 }) },
  {
    name: 'S1c',
    title: `${ONE_AT_A_TIME}, from a sender that never sleeps`,
    ...ingest({ connections: 1, isAwake: true }),
  },
];
