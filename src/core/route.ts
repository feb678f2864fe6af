/** Which alerts an output takes: minimum priority and matchers, pure functions of alert and configuration. */
import { type Alert, outputField, TEST_RULE } from './alert/alert.ts';
import type { JsonValue } from './alert/json.ts';
import { type Priority, priorityRank } from './alert/priority.ts';
import {
  compileCondition,
  compilePriority,
  isMap,
  kindOf,
  type Report,
  type Test,
} from './route/condition.ts';

/** One matcher: all of its conditions have to hold. Keys are alert fields or output fields. */
export type Match = Record<string, Condition>;

/** What a field is held against. */
export type Condition =
  | string
  | number
  | boolean
  | readonly (string | number | boolean)[]
  | {
      exact?: string | number | boolean;
      glob?: string;
      regex?: string;
      in?: readonly (string | number | boolean)[];
      exists?: boolean;
      not?: Condition;
    };

/** What decides whether an output takes an alert. */
export interface Selection {
  minimumPriority: Priority | '';
  /** Any one of them is enough; none at all takes everything. */
  match: readonly Match[];
  /** The test rule has to reach the minimum priority like any other. */
  filtersTestRule?: boolean;
}

/** Something wrong with a matcher. */
export interface MatchProblem {
  /** `match[0].rule.regex` */
  path: string;
  message: string;
  hint?: string;
}

type Reader = (alert: Alert) => JsonValue | undefined;

/** Keys with a meaning of their own, in any case; every other key is the name of an output field. */
const KNOWN: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['rule', alert => alert.rule],
  ['priority', alert => alert.priority],
  ['source', alert => alert.source || undefined],
  ['tags', alert => alert.tags],
  ['hostname', alert => alert.hostname || undefined],
  ['output', alert => alert.output],
  ['uuid', alert => alert.uuid],
  ['namespace', alert => outputField(alert, 'k8s.ns.name')],
  ['pod', alert => outputField(alert, 'k8s.pod.name')],
]);

interface CompiledCondition {
  key: string;
  read: Reader;
  test: Test;
}

/** Reads the `match` key of an output: a list of matchers, or a single one. Absent means none. */
export function parseMatch(value: unknown, path = 'match'): { matches: Match[]; problems: MatchProblem[] } {
  if (value === undefined || value === null || value === '') return { matches: [], problems: [] };
  const problems: MatchProblem[] = [];
  const report: Report = (at, message, hint) => problems.push({ path: at, message, ...(hint && { hint }) });
  if (Array.isArray(value)) {
    value.forEach((matcher, index) => {
      compileMatcher(matcher, `${path}[${index}]`, report);
    });
    return { matches: value, problems };
  }
  compileMatcher(value, path, report);
  return { matches: [value as Match], problems };
}

/**
 * The filter of an output. It never throws, whatever the alert holds.
 * @throws RangeError when a matcher is one that `parseMatch` refuses
 */
export function compileFilter(selection: Selection): (alert: Alert) => boolean {
  const { important, minimum, matchers } = compileSelection(selection);
  if (matchers.length === 0) return minimum <= 1 ? () => true : important;
  return alert => important(alert) && matchers.some(conditions => conditions.every(holds, alert));
}

function holds(this: Alert, { read, test }: CompiledCondition): boolean {
  return test(read(this));
}

function compileSelection({ minimumPriority, match, filtersTestRule = false }: Selection) {
  const report: Report = (path, message) => {
    throw new RangeError(`${path}: ${message}`);
  };
  const minimum = minimumPriority === '' ? 0 : priorityRank(minimumPriority);
  const passes = (alert: Alert) => !filtersTestRule && alert.rule === TEST_RULE;
  return {
    minimum,
    important: (alert: Alert) => priorityRank(alert.priority) >= minimum || passes(alert),
    matchers: match.map((matcher, index) => compileMatcher(matcher, `match[${index}]`, report)),
  };
}

function compileMatcher(matcher: unknown, path: string, report: Report): CompiledCondition[] {
  if (!isMap(matcher)) {
    report(
      path,
      `expected a map of conditions, found ${kindOf(matcher)}`,
      'for example { namespace: payments }',
    );
    return [];
  }
  const conditions = Object.entries(matcher);
  if (conditions.length === 0) report(path, 'no condition: it would take every alert', 'leave it out');
  return conditions.map(([key, condition]) => {
    const known = key.toLowerCase();
    const read = KNOWN.get(known) ?? (alert => outputField(alert, key));
    const compile = known === 'priority' ? compilePriority : compileCondition;
    return { key, read, test: compile(condition, `${path}.${key}`, report) };
  });
}
