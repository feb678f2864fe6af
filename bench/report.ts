/** Figures of all runs as a table and as JSON. Pure but for the description of the machine. */
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { ratio, rounded, type Spread, spreadOf } from './statistics.ts';

/** What came of one run of a scenario. */
export interface RunFigures {
  figures: ReadonlyMap<string, number>;
  notes: readonly string[];
}

export interface ScenarioReport {
  name: string;
  title: string;
  figures: Record<string, Spread>;
  /** Of the command compared with. */
  other?: Record<string, Spread>;
  /** Medians, ours divided by theirs. */
  ratios?: Record<string, number>;
  notes: string[];
}

export interface MachineReport {
  processors: number;
  model: string;
  memoryGib: number;
  system: string;
  node: string;
  /** Over the last 1, 5 and 15 minutes, when the bench ended. */
  load: number[];
}

export function describeMachine(): MachineReport {
  const all = cpus();
  return {
    processors: all.length,
    model: all[0]?.model.trim() ?? 'unknown',
    memoryGib: rounded(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.version,
    load: loadavg().map(rounded),
  };
}

/** Puts the runs of a scenario together. */
export function summarize(
  { name, title }: { name: string; title: string },
  ours: readonly RunFigures[],
  theirs: readonly RunFigures[] | undefined,
): ScenarioReport {
  const figures = spreads(ours);
  const notes = [...new Set([...ours, ...(theirs ?? [])].flatMap(run => run.notes))];
  if (!theirs || theirs.length === 0) return { name, title, figures, notes };
  const other = spreads(theirs);
  const ratios: Record<string, number> = {};
  for (const [figure, { median }] of Object.entries(figures)) {
    const share = other[figure] && ratio(median, other[figure].median);
    if (share !== undefined) ratios[figure] = rounded(share);
  }
  return { name, title, figures, other, ratios, notes };
}

function spreads(runs: readonly RunFigures[]): Record<string, Spread> {
  const names = [...new Set(runs.flatMap(run => [...run.figures.keys()]))];
  const valuesOf = (name: string) =>
    runs
      .map(run => run.figures.get(name))
      .filter(value => value !== undefined && Number.isFinite(value)) as number[];
  return Object.fromEntries(
    names
      .map(name => [name, valuesOf(name)] as const)
      .filter(([, values]) => values.length > 0)
      .map(([name, values]) => [name, roundedSpread(values)]),
  );
}

function roundedSpread(values: readonly number[]): Spread {
  const { median, ...rest } = spreadOf(values.map(rounded));
  return { ...rest, median: rounded(median) };
}

/** Lines of a table: one for each figure. */
export function renderTable(report: ScenarioReport, names: { ours: string; theirs?: string }): string[] {
  const { figures, other, ratios } = report;
  const cells = (spread: Spread | undefined) => {
    if (!spread) return ['-', ''];
    const { median, min, max, values } = spread;
    return [String(rounded(median)), values.length > 1 ? `${min}..${max}` : ''];
  };
  const head = ['', names.ours, 'min..max'];
  if (other) head.push(names.theirs ?? 'other', 'min..max', 'ratio');
  const rows = [...new Set([...Object.keys(figures), ...Object.keys(other ?? {})])].map(name => {
    const row = [name, ...cells(figures[name])];
    if (other) row.push(...cells(other[name]), ratios?.[name]?.toFixed(2) ?? '');
    return row;
  });
  const lines = [`${report.name}: ${report.title}`, ...align([head, ...rows]).map(line => `  ${line}`)];
  return [...lines, ...report.notes.map(note => `  note: ${note}`)];
}

/** Cells in columns: the first to the left, the others to the right; columns without any text are left out. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(...rows.map(row => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0)),
  );
  const isEmpty = (column: number) => rows.slice(1).every(row => !row[column]);
  return rows.map(row =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .filter((_, column) => column === 0 || !isEmpty(column))
      .join('  ')
      .trimEnd(),
  );
}
