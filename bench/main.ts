/** `npm run bench`: plays scenarios against Tiercel, or another command, and prints what came of it. Linux only. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parse } from 'yaml';
import { parseDuration } from '../src/core/units.ts';
import { type Dialect, type System, splitWords } from './command.ts';
import { describeMachine, type RunFigures, renderTable, summarize } from './report.ts';
import type { Scenario } from './scenario.ts';
import { choose, scenarios } from './scenarios/index.ts';
import { Stage, type StageOptions } from './stage.ts';
import { median, rounded } from './statistics.ts';
import { playTurns, type Turns } from './turns.ts';

interface Options {
  only: string[];
  list?: true;
  cmd?: string;
  name?: string;
  dialect: Dialect;
  extra: Record<string, unknown>;
  compare?: string;
  compareName?: string;
  compareDialect: Dialect;
  compareExtra: Record<string, unknown>;
  runs: number;
  turns?: number;
  scale: number;
  warmup: number;
  soak: number;
  json?: string;
  keep?: true;
}

const DIALECTS = ['falcosidekick', 'benthos'];
const built = fileURLToPath(new URL('../dist/main.js', import.meta.url));

function readOptions(): Options {
  const duration = (text: string) => {
    const ms = parseDuration(text);
    if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 90s or 1h');
    return ms;
  };
  const positive = (text: string) => {
    const value = Number(text);
    if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
    return value;
  };
  const tree = (text: string) => {
    const value: unknown = parse(existsSync(text) ? readFileSync(text, 'utf8') : text);
    if (typeof value !== 'object' || value === null) throw new InvalidArgumentError('expected a map in YAML');
    return value as Record<string, unknown>;
  };
  const command = new Command('npm run bench --')
    .description(
      'Measures a daemon from outside: CPU time of its process tree, memory, rates, latencies, what is lost. ' +
        'Placeholders in commands: {config} the configuration, {dir} an empty data folder, {port} where it has to listen.',
    )
    .option('--only <names>', 'scenarios, or S and G for all of a letter', text => text.split(','), ['S'])
    .option('--list', 'show the scenarios')
    .option('--cmd <command>', 'the daemon; default: the built Tiercel')
    .option('--name <name>', 'what it is called in the table')
    .option('--extra <yaml>', 'text or file that goes over its configuration', tree, {})
    .addOption(
      new Option('--dialect <name>', 'whose configuration it reads')
        .choices(DIALECTS)
        .default('falcosidekick'),
    )
    .option('--compare <command>', 'another daemon, run in turns with it')
    .option('--compare-name <name>', 'what that one is called')
    .option('--compare-extra <yaml>', 'text or file that goes over its configuration', tree, {})
    .addOption(
      new Option('--compare-dialect <name>', 'whose configuration that one reads')
        .choices(DIALECTS)
        .default('falcosidekick'),
    )
    .option(
      '--runs <count>',
      'runs of each; more than one shows medians and how far they spread',
      positive,
      1,
    )
    .option(
      '--turns <count>',
      'starts both daemons and gives them a steady load in turns of 2 s: for differences of a few percent',
      text => {
        const value = Number(text);
        if (!Number.isInteger(value) || value < 2) throw new InvalidArgumentError('expected 2 or more');
        return value;
      },
    )
    .option('--scale <factor>', 'on the lengths of the phases; below 1 on the backlogs too', positive, 1)
    .option('--warmup <duration>', 'load before the figures', duration, 3000)
    .option('--soak <duration>', 'length of G4', duration, 3_600_000)
    .option('--json <file>', 'writes all figures there')
    .option('--keep', "keeps the runs' folders: configuration, log, data");
  return command.parse().opts<Options>();
}

function systemOf(text: string, rest: Omit<System, 'words' | 'name'> & { name: string | undefined }): System {
  const words = splitWords(text);
  return { ...rest, words, name: rest.name ?? basename(words[0] ?? text) };
}

/** @throws Error when Tiercel is not built */
function ownSystem({ cmd, name, dialect, extra }: Options): System {
  if (cmd) return systemOf(cmd, { name, dialect, extra });
  if (!existsSync(built)) throw new Error('Tiercel is not built: npm run build');
  return { name: name ?? 'tiercel', words: [process.execPath, built, '-c', '{config}'], dialect, extra };
}

/** Plays once; undefined, with a line on stderr, when that failed. */
async function play(scenario: Scenario, options: StageOptions): Promise<RunFigures | undefined> {
  const stage = new Stage(options);
  try {
    await scenario.play(stage);
  } catch (error) {
    process.stderr.write(`${scenario.name}: ${options.system.name}: ${(error as Error).message}\n`);
    return undefined;
  } finally {
    await stage.close();
  }
  return stage;
}

/** One line for a scenario that was played in turns. */
function renderTurns(
  name: string,
  { ours, theirs, ratio }: Turns,
  [a, b]: readonly [System, System],
): string {
  const [mean, low, high] = [ratio.mean, ratio.low, ratio.high].map(value => value.toFixed(3));
  const costs = `${a.name} ${rounded(median(ours))} µs, ${b.name} ${rounded(median(theirs))} µs an alert`;
  return `${name}: ${costs}; ratio ${mean} (${low} to ${high} in 95 of 100 cases)`;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options.list) {
    for (const { name, title } of scenarios) process.stdout.write(`${name.padEnd(5)} ${title}\n`);
    return 0;
  }
  const { runs, scale, warmup, soak, keep = false } = options;
  const ours = ownSystem(options);
  const { compare, compareName, compareDialect, compareExtra } = options;
  const theirs = compare
    ? systemOf(compare, { name: compareName, dialect: compareDialect, extra: compareExtra })
    : undefined;
  const stageOptions = { scale, warmUpMs: warmup, soakMs: soak, keep };
  if (options.turns !== undefined) {
    if (!theirs) throw new Error('--turns wants --compare: two daemons take turns');
    if (options.json) throw new Error('--turns prints its figures only: there is no --json of them');
    const chosen = choose(options.only).map(({ name, steady }) => {
      if (!steady) throw new Error(`${name} has no load that goes on: --turns cannot play it`);
      return { name, steady };
    });
    for (const { name, steady } of chosen) {
      const turns = await playTurns(steady, [ours, theirs], stageOptions, options.turns);
      process.stdout.write(`${renderTurns(name, turns, [ours, theirs])}\n`);
    }
    return 0;
  }
  const reports = [];
  let failed = 0;
  for (const scenario of choose(options.only)) {
    const missing = scenario.missing?.();
    if (missing) {
      process.stderr.write(`${scenario.name} left out: ${missing}\n`);
      continue;
    }
    const systems = theirs && !scenario.tiercelOnly ? [ours, theirs] : [ours];
    const results: RunFigures[][] = systems.map(() => []);
    for (let run = 0; run < runs; run++) {
      // In turns, so that both see the same weather.
      for (const [index, system] of systems.entries()) {
        const result = await play(scenario, { ...stageOptions, system });
        if (result) results[index]!.push(result);
        else failed++;
      }
    }
    const report = summarize(scenario, results[0]!, results[1]);
    reports.push(report);
    const lines = renderTable(report, { ours: ours.name, theirs: theirs?.name });
    process.stdout.write(`${lines.join('\n')}\n\n`);
  }
  if (options.json) {
    const when = new Date().toISOString();
    const commands = { ours: ours.words.join(' '), theirs: theirs?.words.join(' ') };
    const all = { when, machine: describeMachine(), commands, runs, scale, scenarios: reports };
    writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`);
  }
  return failed > 0 ? 1 : 0;
}

if (process.platform !== 'linux') {
  process.stderr.write('the bench reads CPU time and memory from /proc, which only Linux has\n');
  process.exit(2);
}
// So that the daemons are ended as well: see process.ts.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(2);
}
