/**
 * Holds test/chart/fixtures/falcosidekick-chart.json against a list of what falcosidekick's chart takes:
 * `{values: [{path, default, env?}]}`. Exits with 1 when they differ; with `--write` writes the fixture instead.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Fact {
  path: string;
  default: unknown;
  env?: string;
}
type Tree = { [key: string]: unknown };

const FIXTURE = new URL('../../test/chart/fixtures/falcosidekick-chart.json', import.meta.url);
const [source] = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
if (source === undefined) throw new Error('which file?');
const { values } = JSON.parse(readFileSync(source, 'utf8')) as { values: Fact[] };

const defaults: Tree = {};
const variables: Record<string, string> = {};
for (const { path, default: value, env } of values) {
  // An annotation has dots in its name.
  const parts = path.split(/\.(?!io\/)/);
  const last = parts.pop()!;
  let at = defaults;
  for (const part of parts) {
    at[part] ??= {};
    at = at[part] as Tree;
  }
  // Where images come from is nobody's business here.
  at[last] = last === 'registry' ? '' : value;
  if (env && path.startsWith('config.')) variables[path.slice('config.'.length)] = env;
}

const text = `${JSON.stringify({ defaults, variables }, null, 2)}\n`;
if (process.argv.includes('--write')) writeFileSync(FIXTURE, text);
else if (JSON.stringify(JSON.parse(readFileSync(FIXTURE, 'utf8'))) !== JSON.stringify(JSON.parse(text))) {
  console.error('the fixture differs');
  process.exitCode = 1;
}
