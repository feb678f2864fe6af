/** What becomes of alerts when a far end is slow, failing, away, or asks for a pause; and when the daemon is killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../clock.ts';
import type { LoadResult } from '../load.ts';
import type { Scenario } from '../scenario.ts';
import type { Behaviour } from '../sink.ts';
import type { Stage } from '../stage.ts';

const SLOW_MS = 2000;

async function slowBesideHealthy(stage: Stage): Promise<void> {
  const [healthy, slow] = await stage.open([{ kind: 'webhook' }, { kind: 'slack' }]);
  await stage.warmUp({ perSecond: 500 });
  await slow!.behave({ delayMs: SLOW_MS });
  const { before, result } = await underLoad(stage, { perSecond: 1000, seconds: 30 });
  await stage.drain([healthy!], result, { withinMs: 5000, idleMs: 2000 });
  stage.reportArrival('healthy_', [healthy!], result);
  stage.set('rss_growth_mib', stage.daemon.takePeakMib() - before);
  stage.set('slow_got_under_load', slow!.tally.deliveredIn(result));
  // It gets well: what was held back has to come.
  await slow!.behave({ delayMs: 0 });
  const well = nowMs();
  await stage.drain([slow!], result, { withinMs: stage.ms(45) + 15_000, idleMs: 10_000 });
  stage.set('slow_caught_up_in_s', (nowMs() - well) / 1000);
  stage.set('slow_lost', slow!.tally.lostOf(stage.ledger, result));
}

function outage(mode: Behaviour['mode']): Scenario['play'] {
  return async stage => {
    const [sink] = await stage.open([{ kind: 'webhook' }]);
    await stage.warmUp({ perSecond: 500 });
    sink!.tally.reset('duplicates', 'requests');
    const comeAndGo = async () => {
      await sleep(stage.ms(3));
      await sink!.behave({ mode });
      await sleep(stage.ms(20));
      await sink!.behave({ mode: 'healthy' });
      return nowMs();
    };
    const back = comeAndGo();
    const { before, result } = await underLoad(stage, { perSecond: 500, seconds: 33 });
    await stage.drain([sink!], result, { withinMs: stage.ms(90) + 30_000, idleMs: 35_000 });
    stage.reportArrival('', [sink!], result);
    const backMs = await back;
    stage.set('caught_up_in_s', Math.max(0, sink!.tally.lastArrival(result, backMs) - backMs) / 1000);
    stage.set('lost_pct', (100 * stage.figures.get('lost')!) / result.accepted);
    stage.set('rss_growth_mib', stage.daemon.takePeakMib() - before);
    stage.set('requests', sink!.tally.count('requests'));
  };
}

function killed(isSinkDown: boolean): Scenario['play'] {
  return async stage => {
    const [sink] = await stage.open([{ kind: 'webhook' }]);
    await stage.warmUp({ perSecond: 500 });
    sink!.tally.reset('duplicates');
    const accident = async () => {
      await sleep(stage.ms(isSinkDown ? 2 : 6));
      if (isSinkDown) {
        await sink!.behave({ mode: 'refusing' });
        await sleep(stage.ms(4));
      }
      await stage.daemon.stop('SIGKILL');
      await stage.start();
      stage.set('restart_ms', stage.daemon.startedInMs);
      if (!isSinkDown) return;
      await sleep(stage.ms(2));
      await sink!.behave({ mode: 'healthy' });
    };
    const [result] = await Promise.all([
      stage.load({ perSecond: 1000, durationMs: stage.ms(12) }),
      accident(),
    ]);
    await stage.drain([sink!], result, { withinMs: stage.ms(60) + 30_000, idleMs: 20_000 });
    stage.reportIngest('', result);
    stage.reportArrival('', [sink!], result);
  };
}

async function pauses(stage: Stage): Promise<void> {
  const [sink] = await stage.open([{ kind: 'webhook' }]);
  await stage.warmUp({ perSecond: 300 });
  sink!.tally.reset('duplicates');
  const askForPauses = async () => {
    for (let time = 0; time < 3; time++) {
      await sleep(stage.ms(2));
      await sink!.pause(2);
      await sleep(2000 + stage.ms(1));
    }
  };
  const [result] = await Promise.all([
    stage.load({ perSecond: 300, durationMs: 6000 + stage.ms(10) }),
    askForPauses(),
  ]);
  await stage.drain([sink!], result, { withinMs: stage.ms(60) + 30_000, idleMs: 20_000 });
  stage.reportIngest('', result);
  stage.reportArrival('', [sink!], result);
  stage.set('requests_inside_pauses', sink!.tally.count('early'));
}

function deadEnd(mode: Behaviour['mode']): Scenario['play'] {
  return async stage => {
    const [sink] = await stage.open([{ kind: 'webhook' }]);
    await stage.warmUp({ perSecond: 500 });
    await sink!.behave({ mode });
    const { before, result } = await underLoad(stage, { perSecond: 1000, seconds: 60 });
    const after = stage.daemon.rssMib();
    stage.set('rss_start_mib', before);
    stage.set('rss_end_mib', after);
    stage.set('peak_rss_mib', stage.daemon.takePeakMib());
    stage.set('kib_per_alert', ((after - before) * 1024) / result.accepted);
  };
}

/** A steady rate; memory before it, and the usual figures of what was taken. */
async function underLoad(
  stage: Stage,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<{ before: number; result: LoadResult }> {
  const before = stage.daemon.rssMib();
  stage.daemon.takePeakMib();
  const result = await stage.measure('', () => stage.load({ perSecond, durationMs: stage.ms(seconds) }));
  stage.set('cpu_us_per_alert', (result.usage.cpuSeconds * 1e6) / result.accepted);
  stage.reportIngest('', result);
  return { before, result };
}

export const faultScenarios: Scenario[] = [
  {
    name: 'S4',
    title: 'one sink takes 2 s an answer beside a healthy one, 1,000/s',
    play: slowBesideHealthy,
  },
  { name: 'S5', title: 'the sink answers 500 for 20 s, 500/s', play: outage('failing') },
  { name: 'S5b', title: 'the sink refuses connections for 20 s, 500/s', play: outage('refusing') },
  { name: 'S6', title: 'kill -9 at 1,000/s, then started again', play: killed(false) },
  { name: 'S6b', title: 'kill -9 while the sink is away, then both come back', play: killed(true) },
  { name: 'S8', title: '429 with Retry-After three times, 300/s', play: pauses },
  { name: 'S10', title: 'the only output hangs, 1,000/s for 60 s', play: deadEnd('hanging') },
  { name: 'S10b', title: 'the only output refuses connections, 1,000/s for 60 s', play: deadEnd('refusing') },
];
