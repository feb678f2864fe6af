/** Text for a terminal: colours, tables, times. Pure. */
import type { Priority } from '../core/alert/priority.ts';
import { visibleJson } from '../core/visible.ts';

export { visible } from '../core/visible.ts';

/** JSON that leaves the terminal alone. */
export function toJsonText(value: unknown, indent?: number): string {
  return visibleJson(JSON.stringify(value, null, indent));
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;

/** A colour or weight of terminal text. */
export type Colour = keyof typeof CODES;

/** Puts colours around texts. */
export type Paint = (text: string, ...colours: Colour[]) => string;

/** A painter that paints, or one that leaves texts as they are. */
export function painter(colours: boolean): Paint {
  if (!colours) return text => text;
  return (text, ...names) => `\x1b[${names.map(name => CODES[name]).join(';')}m${text}\x1b[0m`;
}

const PRIORITY_COLOURS: Record<Priority, Colour[]> = {
  Emergency: ['bold', 'magenta'],
  Alert: ['bold', 'magenta'],
  Critical: ['bold', 'red'],
  Error: ['red'],
  Warning: ['yellow'],
  Notice: ['cyan'],
  Informational: ['green'],
  Debug: ['dim'],
};

/** The colours of a priority; plain for a text that is none. */
export function priorityColours(priority: string): Colour[] {
  return PRIORITY_COLOURS[priority as Priority] ?? [];
}

/** Columns wide enough for their cells, two spaces between them. Cells are shown as they are given. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map(row => visibleWidth(row[column] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === cells.length - 1 ? cell : cell + ' '.repeat(widths[column]! - visibleWidth(cell)),
      )
      .join('  ')
      .trimEnd();
  return `${[paint(line(head), 'dim'), ...rows.map(line)].join('\n')}\n`;
}

function visibleWidth(cell: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with the escape character
  return cell.replace(/\x1b\[[\d;]*m/g, '').length;
}

/** Cuts a text to a number of UTF-16 units without splitting a character; a cut one ends in `…`. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, Math.max(0, length - 1));
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/** Breaks text into lines of at most `width` characters, where words allow. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Milliseconds since the epoch as `2026-01-31 12:00:00Z`; empty for undefined. */
export function timestamp(ms: number | undefined): string {
  return ms === undefined ? '' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** A span of milliseconds in its two largest units: `850ms`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const units: [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ];
  const first = units.findIndex(([, size]) => ms >= size);
  const [name, size] = units[first]!;
  const next = units[first + 1];
  const rest = next ? Math.floor((ms % size) / next[1]) : 0;
  return `${Math.floor(ms / size)}${name}${rest > 0 ? ` ${rest}${next![0]}` : ''}`;
}

/** `1 alert`, `2 alerts`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
