/**
 * Compares `tiercel outputs` with a list of falcosidekick's outputs: `node scripts/compare-outputs.ts LIST.json`, where the
 * list is `{"outputs": [{"name": "awssqs"}, ...]}` with the names of its metric labels. Prints `N passed, N failed`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Named {
  name: string;
}

/** falcosidekick writes `aws.sqs` as `awssqs`, and one name with a capital. */
const plain = ({ name }: Named) => name.toLowerCase().replaceAll('.', '');

/** The names that are not among the others. */
export function missingFrom(others: readonly Named[], named: readonly Named[]): string[] {
  const there = new Set(others.map(plain));
  return named.filter(one => !there.has(plain(one))).map(({ name }) => name);
}

if (import.meta.main) {
  const { outputs } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as { outputs: Named[] };
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const listed = execFileSync(process.execPath, [main, 'outputs', '--json'], { encoding: 'utf8' });
  const missing = missingFrom(JSON.parse(listed) as Named[], outputs);
  for (const name of missing) console.log(`MISSING ${name}`);
  console.log(`${outputs.length - missing.length} passed, ${missing.length} failed`);
  process.exitCode = missing.length > 0 || outputs.length === 0 ? 1 : 0;
}
