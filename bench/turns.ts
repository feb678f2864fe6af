/** Two daemons side by side that get the same load in turns: shows differences that lie within the spread of whole runs. */
import type { System } from './command.ts';
import type { Steady } from './scenario.ts';
import { costOf } from './scenarios/phases.ts';
import { Stage, type StageOptions } from './stage.ts';
import { type PairedRatio, pairedRatio } from './statistics.ts';

/** CPU time per alert of each turn, in microseconds, and how the two compare turn by turn. */
export interface Turns {
  ours: number[];
  theirs: number[];
  ratio: PairedRatio;
}

/** Starts and warms up both, then measures one after the other, as often as asked. */
export async function playTurns(
  steady: Steady,
  [ours, theirs]: readonly [System, System],
  options: Omit<StageOptions, 'system'>,
  turns: number,
): Promise<Turns> {
  const stages = [ours, theirs].map(system => new Stage({ ...options, system }));
  const costs: [number[], number[]] = [[], []];
  try {
    for (const stage of stages) await steady.open(stage);
    for (let turn = 0; turn < turns; turn++) {
      // Whoever is first may find the machine in another state than the one behind it.
      for (const index of turn % 2 === 0 ? [0, 1] : [1, 0]) {
        costs[index]!.push(await costOf(stages[index]!, steady.load));
      }
    }
  } finally {
    for (const stage of stages) await stage.close();
  }
  return { ours: costs[0], theirs: costs[1], ratio: pairedRatio(...costs) };
}
