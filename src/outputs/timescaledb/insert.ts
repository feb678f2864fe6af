/** Inserting a batch, and finding out which rows of it are at fault when the server refuses it. */
import type { Tell } from '../_kit/link.ts';
import { isAboutColumns, isAboutRows, toFailure } from './failures.ts';
import type { Row } from './row.ts';
import { toStatements } from './statement.ts';

/**
 * Inserts rows with as few statements as it takes. A statement is taken or refused whole: a refused one is split, until
 * the rows at fault stand alone. After a failure that no row is to blame for, nothing more is tried.
 * @param insert runs one statement; throws what the client throws
 * @param tell is told of each row as soon as it is in the table, or why it is not
 */
export async function insertAll(
  rows: readonly Row[],
  insert: (rows: Row[]) => Promise<void>,
  tell: Tell,
): Promise<void> {
  const pieces = toStatements(rows, [...rows.keys()]);
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    try {
      await insert(piece.map(index => rows[index]!));
      for (const index of piece) tell(index);
    } catch (error) {
      const parts = split(piece, rows, error);
      const hopeless = parts.length === 1 && !isAboutRows(error) && !isAboutColumns(error);
      if (parts.length > 1) pieces.unshift(...parts);
      else for (const index of hopeless ? [piece, ...pieces].flat() : piece) tell(index, toFailure(error));
      if (hopeless) break;
    }
  }
}

/** In halves where a row may be at fault, by their columns where a column is; else as it was. */
function split(piece: number[], rows: readonly Row[], error: unknown): number[][] {
  if (isAboutColumns(error)) {
    return Object.values(Object.groupBy(piece, index => [...rows[index]!.keys()].join('\0'))) as number[][];
  }
  if (!isAboutRows(error) || piece.length === 1) return [piece];
  const middle = Math.ceil(piece.length / 2);
  return [piece.slice(0, middle), piece.slice(middle)];
}
