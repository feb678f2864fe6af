/**
 * `node bench/profile.ts FILE`: where the time went, of a file that `node --cpu-prof` has written; as a table in
 * Markdown.
 */
import { readFileSync } from 'node:fs';
import { rounded } from './statistics.ts';

/** As much as is used of the format: chromedevtools.github.io/devtools-protocol, Profiler.Profile. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  /** Microseconds from each sample to the next. */
  timeDeltas: number[];
}

export interface ProfileLine {
  /** Of the time in which the process did anything. */
  percent: number;
  name: string;
  /** Relative to the project or to node_modules; `node:...` for Node.js itself, empty for what is native. */
  file: string;
}

const IDLE = '(idle)';

/** The functions that took most time themselves, without what they called. */
export function topOf({ nodes, samples, timeDeltas }: CpuProfile, count: number): ProfileLine[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, ProfileLine>();
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    const micros = Math.max(0, timeDeltas[index] ?? 0);
    if (!frame || frame.functionName === IDLE) continue;
    busy += micros;
    const name = frame.functionName || '(anonymous)';
    const file = frame.url.replace(/^.*\/(?=(?:dist|src|node_modules)\/)/, '').replace('node_modules/', '');
    const line = byFunction.get(`${name} ${file}`) ?? { percent: 0, name, file };
    line.percent += micros;
    byFunction.set(`${name} ${file}`, line);
  }
  return [...byFunction.values()]
    .sort((a, b) => b.percent - a.percent)
    .slice(0, count)
    .map(line => ({ ...line, percent: (100 * line.percent) / busy }));
}

if (import.meta.main) {
  const [file] = process.argv.slice(2);
  if (file === undefined) {
    process.stderr.write('usage: node bench/profile.ts FILE\n');
    process.exit(2);
  }
  const lines = topOf(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile, 25);
  const rows = lines.map(
    ({ percent, name, file }) => `| ${rounded(percent)} | \`${name}\` | ${file || 'native'} |`,
  );
  process.stdout.write(['| % | function | where |', '|--:|---|---|', ...rows, ''].join('\n'));
}
