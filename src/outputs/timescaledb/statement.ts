/** The INSERT and its names. Pure. */
import { foldCase, type Row } from './row.ts';

/** PostgreSQL counts the parameters of a statement in 16 bits, see postgresql.org/docs/current/protocol-message-formats.html (Bind). */
export const MAX_PARAMETERS = 65_535;

const PART = /"((?:[^"]|"")+)"|([^".]+)/y;

/**
 * Reads the name of a table as SQL does: `events`, `falco.events`, `"My Table"`; what is not in quotes is folded to lower
 * case.
 * @returns its parts, schema first; undefined when it is no such name
 */
export function parseTable(name: string): string[] | undefined {
  const parts: string[] = [];
  let at = 0;
  while (true) {
    PART.lastIndex = at;
    const [found, quoted, plain] = PART.exec(name) ?? [];
    if (found === undefined || found.includes('\0')) return undefined;
    parts.push(quoted?.replaceAll('""', '"') ?? foldCase(plain!));
    at = PART.lastIndex;
    if (at === name.length) return parts.length > 2 ? undefined : parts;
    if (name[at++] !== '.') return undefined;
  }
}

/** A name that is safe in a statement, whatever it holds. */
export function quote(name: string): string {
  return `"${name.replaceAll('\0', '').replaceAll('"', '""')}"`;
}

/**
 * One INSERT for all rows. A row without one of the columns leaves it to the table's default, as if the column were not
 * named.
 * @param skipKnown rows that a unique key of the table refuses are taken for known ones
 */
export function toInsert(
  table: readonly string[],
  rows: readonly Row[],
  skipKnown: boolean,
): { text: string; values: (string | null)[] } {
  const columns = [...new Set(rows.flatMap(row => [...row.keys()]))];
  const values: (string | null)[] = [];
  const tuples = rows.map(row => {
    const places = columns.map(column => {
      const value = row.get(column);
      return value === undefined ? 'DEFAULT' : `$${values.push(value)}`;
    });
    return `(${places.join(',')})`;
  });
  const target = `${table.map(quote).join('.')} (${columns.map(quote).join(',')})`;
  const conflict = skipKnown ? ' ON CONFLICT DO NOTHING' : '';
  return { text: `INSERT INTO ${target} VALUES ${tuples.join(',')}${conflict}`, values };
}

/** Rows that fit one statement each. */
export function toStatements(rows: readonly Row[], indexes: readonly number[]): number[][] {
  const pieces: number[][] = [];
  let parameters = Number.POSITIVE_INFINITY;
  for (const index of indexes) {
    const { size } = rows[index]!;
    if (parameters + size > MAX_PARAMETERS) {
      pieces.push([]);
      parameters = 0;
    }
    pieces.at(-1)!.push(index);
    parameters += size;
  }
  return pieces;
}
