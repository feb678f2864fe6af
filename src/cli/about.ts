/** What `--version` prints. */
import { version } from '../version.ts';
import type { Env } from './io.ts';

/**
 * Aligned lines with the names that falcosidekick uses where the meaning is the same. An image is built with the
 * revision and the time of its build in the environment.
 */
export function versionLines(env: Env): string {
  const facts: [string, string][] = [
    ['GitVersion', version],
    ['GitCommit', env.TIERCEL_REVISION || 'unknown'],
    ['BuildDate', env.TIERCEL_CREATED || 'unknown'],
    ['NodeVersion', process.version],
    ['Platform', `${process.platform}/${process.arch}`],
  ];
  return facts.map(([name, value]) => `${`${name}:`.padEnd(14)} ${value}`).join('\n');
}
