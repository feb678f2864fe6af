/** Whether the cost of an alert grows: with the backlog, the outputs, the routes, the time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fillBacklog, LOG_BYTES } from '../backlog.ts';
import { nowMs } from '../clock.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { slope } from '../statistics.ts';
import { measureRate } from './phases.ts';

const BACKLOGS = [0, 1_000_000, 10_000_000];
const OUTPUTS = [1, 10, 50];
const ROUTES = [0, 1, 100];

/** The same load with more and more alerts in the spool that a dead output has not got; one beside it is healthy. */
async function backlog(stage: Stage): Promise<void> {
  const spool = { maxbytes: LOG_BYTES };
  const [dead, healthy] = await stage.open([{ kind: 'webhook' }, { kind: 'slack' }], { spool });
  await dead!.behave({ mode: 'refusing' });
  for (const full of BACKLOGS) {
    const count = Math.round(full * Math.min(1, stage.options.scale));
    if (count > 0) {
      await stage.daemon.stop('SIGTERM');
      const startMs = nowMs();
      await fillBacklog(stage.dataFolder, 'webhook', count);
      stage.note(`${count} alerts written into the spool in ${Math.round((nowMs() - startMs) / 1000)} s`);
      await stage.start({ spool });
      stage.set(`backlog_${count}_start_ms`, stage.daemon.startedInMs);
    }
    await stage.warmUp({ perSecond: 1000 }, [healthy!]);
    await measureRate(stage, {
      prefix: `backlog_${count}_`,
      perSecond: 1000,
      seconds: 8,
      sinks: [healthy!],
    });
  }
}

async function outputs(stage: Stage): Promise<void> {
  for (const count of OUTPUTS) {
    await stage.apart(`outputs_${count}_`, async inner => {
      await inner.open(Array.from({ length: count }, () => ({ kind: 'webhook' as const })));
      await inner.warmUp({ perSecond: 200 });
      await measureRate(inner, { perSecond: 200, seconds: 8 });
    });
  }
}

/** Matchers of one output of which only the last fits. */
async function routes(stage: Stage): Promise<void> {
  for (const count of ROUTES) {
    const match = Array.from({ length: count }, (_, index) =>
      index === count - 1
        ? { hostname: 'node-*' }
        : { rule: `Rule ${index}*`, namespace: [`team-${index}`, `team-${index}-*`] },
    );
    await stage.apart(`routes_${count}_`, async inner => {
      await inner.open([{ kind: 'webhook', settings: count > 0 ? { match } : {} }]);
      await inner.warmUp({ perSecond: 1000 });
      await measureRate(inner, { perSecond: 1000, seconds: 8 });
    });
  }
}

const SOAK_RATE = 300;
const SOAK_SAMPLES = 240;

/** Hours of an even load, one far end failing for a tenth of the time; the slope of the memory tells of leaks. */
async function soak(stage: Stage): Promise<void> {
  const { soakMs } = stage.options;
  const sinks = await stage.open([{ kind: 'webhook' }, { kind: 'slack' }, { kind: 'loki' }]);
  await stage.warmUp({ perSecond: SOAK_RATE });
  const samples: [number, number][] = [];
  const watch = async () => {
    for (let sample = 0; sample < SOAK_SAMPLES; sample++) {
      await sleep(soakMs / SOAK_SAMPLES);
      // Two of twenty samples in the first three quarters: the end shows what the failures have left behind.
      if (sample < SOAK_SAMPLES * 0.75 && sample % 20 === 8) await sinks[0]!.behave({ mode: 'failing' });
      if (sample % 20 === 10) await sinks[0]!.behave({ mode: 'healthy' });
      samples.push([sample / SOAK_SAMPLES, stage.daemon.rssMib()]);
    }
  };
  const watched = watch();
  await measureRate(stage, { perSecond: SOAK_RATE, seconds: soakMs / 1000 / stage.options.scale });
  await watched;
  const settled = samples.filter(([part]) => part >= 0.25);
  stage.set('rss_first_mib', settled[0]![1]);
  stage.set('rss_last_mib', settled.at(-1)![1]);
  stage.set('rss_slope_mib_per_h', (slope(settled) * 3_600_000) / soakMs);
}

export const growthScenarios: Scenario[] = [
  {
    name: 'G1',
    title: 'a dead output with 0, 1 and 10 million alerts before it, beside a healthy one; 1,000/s',
    tiercelOnly: true,
    play: backlog,
  },
  { name: 'G2', title: '1, 10 and 50 webhooks, 200/s', tiercelOnly: true, play: outputs },
  {
    name: 'G3',
    title: '0, 1 and 100 matchers of which the last fits, 1,000/s',
    tiercelOnly: true,
    play: routes,
  },
  { name: 'G4', title: 'soak of the length of --soak, 3 outputs, 300/s: memory over time', play: soak },
];
