/** How long a daemon takes from its start to its first answer, and what it has in memory then. */
import { fileURLToPath } from 'node:url';
import { outputs } from '../../src/outputs/index.ts';
import { merge } from '../command.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage, Way } from '../stage.ts';
import { median } from '../statistics.ts';

const STARTS = 10;
const FIVE: Way[] = (['slack', 'webhook', 'cloudevents', 'loki', 'alertmanager'] as const).map(kind => ({
  kind,
}));

/** Every output of the registry with the settings of its example; their far ends do not exist. */
export function allExamples(): Record<string, unknown> {
  return outputs.reduce<Record<string, unknown>>((config, { name, example }) => {
    const section = name.split('.').reduceRight<object>((inner, part) => ({ [part]: inner }), example);
    return merge(config, section as Record<string, unknown>);
  }, {});
}

/** An option for Node.js under which no name is resolved, so that nothing leaves the machine. */
export const OFFLINE = `--import=${fileURLToPath(new URL('../offline.mjs', import.meta.url))}`;

async function starts(
  stage: Stage,
  ways: Way[],
  extra: Record<string, unknown> = {},
  env: Record<string, string> = {},
): Promise<void> {
  const times: number[] = [];
  const memory: number[] = [];
  await stage.open(ways, extra, env);
  for (let time = 0; time < STARTS; time++) {
    if (time > 0) await stage.start(extra, env);
    times.push(stage.daemon.startedInMs);
    memory.push(stage.daemon.rssMib());
    await stage.daemon.stop('SIGKILL');
  }
  await stage.start(extra, env);
  stage.set('start_ms', median(times));
  stage.set('start_min_ms', Math.min(...times));
  stage.set('start_max_ms', Math.max(...times));
  stage.set('rss_at_start_mib', median(memory));
}

export const startScenarios: Scenario[] = [
  {
    name: 'G5',
    title: 'start to first answer, ten times each: no output, five, all that there are',
    tiercelOnly: true,
    play: async stage => {
      await stage.apart('no_output_', inner => starts(inner, []));
      await stage.apart('five_outputs_', inner => starts(inner, FIVE));
      await stage.apart('all_outputs_', inner => starts(inner, [], allExamples(), { NODE_OPTIONS: OFFLINE }));
    },
  },
];
