/**
 * `node bench/profile.ts FILE`: where the time went in the later half of a file that `node --cpu-prof` has written; as
 * a table in Markdown, or with `--flame` as a flame graph in SVG.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { busyTimes, type CpuProfile, type Frame, frameOf, keyOf, laterHalf } from './cpu-profile.ts';
import { flameGraph } from './flame.ts';
import { rounded } from './statistics.ts';

export interface ProfileLine extends Frame {
  /** Of the time in which the process did anything. */
  percent: number;
}

/** The functions that took most time themselves, without what they called. */
export function topOf(profile: CpuProfile, count: number): ProfileLine[] {
  const times = busyTimes(profile);
  const byFunction = new Map<string, ProfileLine>();
  let busy = 0;
  for (const node of profile.nodes) {
    const micros = times.get(node.id) ?? 0;
    const frame = frameOf(node);
    const key = keyOf(frame);
    const line = byFunction.get(key) ?? { percent: 0, ...frame };
    line.percent += micros;
    busy += micros;
    byFunction.set(key, line);
  }
  return [...byFunction.values()]
    .sort((a, b) => b.percent - a.percent)
    .slice(0, count)
    .map(line => ({ ...line, percent: (100 * line.percent) / busy }));
}

function tableOf(profile: CpuProfile): string {
  const rows = topOf(profile, 25).map(
    ({ percent, name, file }) => `| ${rounded(percent)} | \`${name}\` | ${file || 'native'} |`,
  );
  return ['| % | function | where |', '|--:|---|---|', ...rows, ''].join('\n');
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { flame: { type: 'boolean' } },
    allowPositionals: true,
  });
  const [file] = positionals;
  if (file === undefined) {
    process.stderr.write('usage: node bench/profile.ts [--flame] FILE\n');
    process.exit(2);
  }
  const profile = laterHalf(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
  process.stdout.write(values.flame ? flameGraph(profile) : tableOf(profile));
}
