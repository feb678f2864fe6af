/** All scenarios, in the order in which they are played. */
import type { Scenario } from '../scenario.ts';
import { deliveryScenarios } from './delivery.ts';
import { faultScenarios } from './faults.ts';
import { growthScenarios } from './growth.ts';
import { ingestScenarios } from './ingest.ts';
import { startScenarios } from './start.ts';

const byNumber = (a: Scenario, b: Scenario) =>
  Number.parseInt(a.name.slice(1), 10) - Number.parseInt(b.name.slice(1), 10);

export const scenarios: readonly Scenario[] = [
  ...[...ingestScenarios, ...deliveryScenarios, ...faultScenarios].sort(byNumber),
  ...growthScenarios,
  ...startScenarios,
];

/**
 * Those that are asked for: names, or `S` and `G` for all of a letter.
 * @throws Error for a name that is none
 */
export function choose(names: readonly string[]): Scenario[] {
  const chosen = new Set<Scenario>();
  for (const name of names) {
    const fitting = scenarios.filter(each => each.name === name || each.name[0] === name);
    if (fitting.length === 0) throw new Error(`no scenario ${name}; --list shows them`);
    for (const each of fitting) chosen.add(each);
  }
  return scenarios.filter(each => chosen.has(each));
}
