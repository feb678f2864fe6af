/** Reads the parameters of API calls, from the query and from a JSON body alike. Pure. */
import type { Alert } from '../../alert/alert.ts';
import { type Priority, parsePriority, priorityRank } from '../../alert/priority.ts';
import type { DeadLetterFilter } from '../../spool/contract.ts';
import { parseDate, parseDuration } from '../../units.ts';
import { ApiError } from './problem.ts';

/** Parameters by name; what comes more than once is a list. */
export type Params = Readonly<Record<string, unknown>>;

/** Which alerts of the log are wanted. Times are milliseconds since the epoch. */
export interface AlertQuery {
  since?: number;
  until?: number;
  /** Any of these rules, in lower case. */
  rules: readonly string[];
  /** This priority or a more severe one. */
  priority?: Priority;
  /** Any of these sources, in lower case. */
  sources: readonly string[];
  /** A piece of the output text, in lower case. */
  text?: string;
  /** Undefined when not given. */
  limit?: number;
  /** Only entries with a smaller offset. */
  before?: number;
  follow: boolean;
}

/** Items in one answer, and the most there can be. */
export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;
/** Most bytes of one answer; it then says where to go on. */
export const MAX_BYTES = 16 * 2 ** 20;
const MAX_IDS = 10_000;

/** @throws ApiError (400) that names the parameter; also for one that is not known */
export function parseAlertQuery(params: Params, now: number): AlertQuery {
  expectOnly(params, ['since', 'until', 'rule', 'priority', 'source', 'q', 'limit', 'before', 'follow']);
  const query: AlertQuery = {
    since: timeParam(params, 'since', now),
    until: timeParam(params, 'until', now),
    rules: textsParam(params, 'rule').map(lower),
    priority: priorityParam(params),
    sources: textsParam(params, 'source').map(lower),
    text: textParam(params, 'q')?.toLowerCase(),
    limit: integerParam(params, 'limit', 1, MAX_LIMIT),
    before: integerParam(params, 'before', 0, Number.MAX_SAFE_INTEGER),
    follow: flagParam(params, 'follow'),
  };
  if (query.follow && (query.until !== undefined || query.before !== undefined)) {
    throw new ApiError(400, 'follow: goes on for ever, so it does not go with until or before');
  }
  return query;
}

/** Whether an alert is one of those asked for, its times aside. */
export function isWanted(alert: Alert, query: AlertQuery): boolean {
  return (
    (query.rules.length === 0 || query.rules.includes(alert.rule.toLowerCase())) &&
    (query.sources.length === 0 || query.sources.includes(alert.source.toLowerCase())) &&
    (query.priority === undefined || priorityRank(alert.priority) >= priorityRank(query.priority)) &&
    (query.text === undefined || alert.output.toLowerCase().includes(query.text))
  );
}

/** @throws ApiError (400) that names the parameter */
export function parseLetterFilter(
  params: Params,
  now: number,
  also: readonly string[] = [],
): DeadLetterFilter {
  expectOnly(params, ['output', 'id', 'ids', 'rule', 'since', ...also]);
  const ids = [...listParam(params, 'id'), ...listParam(params, 'ids')].map(id => {
    const number = typeof id === 'string' && /^\d+$/.test(id) ? Number(id) : id;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
      throw new ApiError(400, 'ids: expected numbers of dead letters');
    return number;
  });
  if (ids.length > MAX_IDS) throw new ApiError(400, `ids: at most ${MAX_IDS} at once`);
  const filter: DeadLetterFilter = {
    output: textParam(params, 'output'),
    rule: textParam(params, 'rule'),
    since: timeParam(params, 'since', now),
    ids: ids.length > 0 ? ids : undefined,
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/**
 * Reads a point in time: `1h` (that long ago), RFC 3339, a date, or milliseconds since the epoch.
 * @returns milliseconds since the epoch; undefined when the parameter is absent
 */
export function timeParam(params: Params, name: string, now: number): number | undefined {
  const text = textParam(params, name);
  if (text === undefined) return undefined;
  const time = /^\d+$/.test(text) ? Number(text) : (parseDate(text) ?? ago(text, now));
  if (!Number.isFinite(time)) {
    throw new ApiError(
      400,
      `${name}: expected a time such as 1h (ago), 2026-01-31T12:00:00Z or milliseconds since the epoch`,
    );
  }
  return time;
}

function ago(text: string, now: number): number {
  const span = parseDuration(text);
  return span === undefined ? Number.NaN : now - span;
}

/** One text; undefined when absent. */
export function textParam(params: Params, name: string): string | undefined {
  const values = textsParam(params, name);
  if (values.length > 1) throw new ApiError(400, `${name}: given more than once`);
  return values[0];
}

export function integerParam(params: Params, name: string, min: number, max: number): number | undefined {
  const text = textParam(params, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new ApiError(400, `${name}: expected a whole number from ${min} to ${max}`);
  }
  return value;
}

export function flagParam(params: Params, name: string): boolean {
  const text = textParam(params, name)?.toLowerCase();
  if (text === undefined || text === 'false' || text === '0') return false;
  if (text === 'true' || text === '1') return true;
  throw new ApiError(400, `${name}: expected true or false`);
}

/** @throws ApiError (400) for a parameter that is none of these: a mistyped filter must not mean "everything" */
export function expectOnly(params: Params, names: readonly string[]): void {
  const unknown = Object.keys(params).find(name => !names.includes(name));
  if (unknown !== undefined) {
    throw new ApiError(
      400,
      `${unknown.slice(0, 40)}: not known here; there is ${names.join(', ') || 'nothing'}`,
    );
  }
}

function priorityParam(params: Params): Priority | undefined {
  const text = textParam(params, 'priority');
  if (text === undefined) return undefined;
  const priority = parsePriority(text);
  if (!priority) throw new ApiError(400, `priority: expected one of Falco's eight priorities`);
  return priority;
}

function textsParam(params: Params, name: string): string[] {
  return listParam(params, name).map(value => {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      throw new ApiError(400, `${name}: expected text`);
    }
    return String(value);
  });
}

// An empty filter is a mistake, such as a variable that is not set, and must not mean "everything" either.
function listParam(params: Params, name: string): unknown[] {
  const value = params[name];
  if (value === undefined) return [];
  const values: unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0 || values.some(one => one === '' || one === null))
    throw new ApiError(400, `${name}: is empty`);
  return values;
}

function lower(text: string): string {
  return text.toLowerCase();
}
