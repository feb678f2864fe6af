/** Dead letters as the API shows them, and what it lets be removed. */
import type { DeadLetter } from '../../spool/contract.ts';
import type { Backend } from '../backend.ts';
import { ApiError } from './problem.ts';
import {
  DEFAULT_LIMIT,
  flagParam,
  integerParam,
  MAX_BYTES,
  MAX_LIMIT,
  type Params,
  parseLetterFilter,
} from './query.ts';

/** A page of letters, newest first, as the JSON of the answer. */
export async function readLetters(backend: Backend, params: Params): Promise<string> {
  const filter = parseLetterFilter(params, Date.now(), ['limit', 'before']);
  const limit = integerParam(params, 'limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT;
  const before = integerParam(params, 'before', 0, Number.MAX_SAFE_INTEGER);
  const box = backend.deadLetters();
  const letters = await box.list({
    ...filter,
    limit,
    bytes: MAX_BYTES,
    ...(before === undefined ? {} : { before }),
  });
  const isFull = letters.length >= limit || bytesOf(letters) >= MAX_BYTES;
  const next = isFull ? `,"before":${letters.at(-1)!.id}` : '';
  return `{"items":[${letters.map(toItem).join(',')}]${next},"total":${box.count(filter.output)}}`;
}

/** Removes letters for good; how many there were. */
export function removeLetters(backend: Backend, params: Params): Promise<number> {
  const filter = parseLetterFilter(params, Date.now(), ['all']);
  const all = flagParam(params, 'all');
  if (!all && Object.keys(filter).length === 0) {
    throw new ApiError(400, 'say which with output, id, rule or since; or all=true');
  }
  return backend.deadLetters().remove(filter);
}

// The alert's own JSON goes in as it is.
function toItem({ alert, ...rest }: DeadLetter): string {
  return `${JSON.stringify(rest).slice(0, -1)},"alert":${alert.json}}`;
}

function bytesOf(letters: readonly DeadLetter[]): number {
  return letters.reduce((sum, { alert }) => sum + alert.byteLength, 0);
}
