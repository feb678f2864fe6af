/** Conditions of a matcher → tests of a field's value. */
import { RE2JS } from 're2js';
import { type JsonValue, toText } from '../alert/json.ts';
import { PRIORITIES, type Priority, parsePriority, priorityRank } from '../alert/priority.ts';

/** Whether a field's value fits; undefined stands for a field that the alert does not have. */
export type Test = (value: JsonValue | undefined) => boolean;

/** Takes note of something wrong with a condition. */
export type Report = (path: string, message: string, hint?: string) => void;

type TextTest = (text: string) => boolean;

const NEVER: Test = () => false;

/** Compiles what a field other than the priority is held against. */
export function compileCondition(condition: unknown, path: string, report: Report): Test {
  return compileAny(condition, path, report, TEXT);
}

/** Compiles what the priority is held against: a name in any case, or a comparison such as `>=warning`. */
export function compilePriority(condition: unknown, path: string, report: Report): Test {
  return compileAny(condition, path, report, PRIORITY);
}

type Compile = (value: unknown, path: string, report: Report) => Test;

/** What differs between the priority and all other fields. */
interface Kind {
  /** A bare value. */
  plain: Compile;
  /** The value of the operator of that name; `in` compiles each of its items as `exact`. */
  operators: { exact: Compile; glob?: Compile; regex?: Compile };
}

const TEXT: Kind = {
  plain: (value, path, report) =>
    typeof value === 'string' && /[*?]/.test(value)
      ? anyText(compileGlob(value))
      : exactly(value, path, report),
  operators: {
    exact: exactly,
    glob: (value, path, report) =>
      typeof value === 'string' ? anyText(compileGlob(value)) : refuse(path, value, report, 'a text'),
    regex: (value, path, report) =>
      typeof value === 'string' ? compileRegex(value, path, report) : refuse(path, value, report, 'a text'),
  },
};

const PRIORITY: Kind = { plain: comparePriority, operators: { exact: comparePriority } };

function compileAny(condition: unknown, path: string, report: Report, kind: Kind): Test {
  if (isMap(condition)) return compileMap(condition, path, report, kind);
  if (Array.isArray(condition)) return compileList(condition, path, report, kind.plain);
  if (isScalar(condition)) return kind.plain(condition, path, report);
  return refuse(path, condition, report, 'a text, a number, a list or a map of operators');
}

/** One item is enough. */
function compileList(list: readonly unknown[], path: string, report: Report, compile: Compile): Test {
  if (list.length === 0) report(path, 'an empty list never holds');
  const tests = list.map((item, index) => compile(item, `${path}[${index}]`, report));
  return value => tests.some(test => test(value));
}

/** All operators have to hold. */
function compileMap(map: Record<string, unknown>, path: string, report: Report, kind: Kind): Test {
  const known = [...Object.keys(kind.operators), 'in', 'exists', 'not'];
  const hint = `operators are ${known.join(', ')}`;
  const tests = Object.entries(map).map(([operator, value]): Test => {
    const at = `${path}.${operator}`;
    if (!known.includes(operator)) {
      report(at, `there is no operator ${JSON.stringify(operator)} here`, hint);
      return NEVER;
    }
    if (operator === 'in') {
      if (!Array.isArray(value)) return refuse(at, value, report, 'a list');
      return compileList(value, at, report, kind.operators.exact);
    }
    if (operator === 'exists') {
      if (typeof value !== 'boolean') return refuse(at, value, report, 'true or false');
      return found => (found !== undefined && found !== null) === value;
    }
    if (operator === 'not') {
      const test = compileAny(value, at, report, kind);
      return found => !test(found);
    }
    return kind.operators[operator as keyof Kind['operators']]!(value, at, report);
  });
  if (tests.length === 0) report(path, 'no operator', hint);
  return value => tests.every(test => test(value));
}

function comparePriority(value: unknown, path: string, report: Report): Test {
  const [, sign = '', name = ''] = /^\s*(>=|<=|>|<|=)?(.*)$/s.exec(String(value)) ?? [];
  const priority = parsePriority(name.trim());
  if (!priority) {
    const hint = `priorities are ${PRIORITIES.join(', ').toLowerCase()}; >=warning stands for warning and worse`;
    report(path, `expected a priority, found ${JSON.stringify(value)}`, hint);
    return NEVER;
  }
  const wanted = priorityRank(priority);
  const compare = COMPARISONS[sign]!;
  return found => compare(priorityRank(found as Priority), wanted);
}

const equal = (rank: number, wanted: number) => rank === wanted;
const COMPARISONS: Record<string, (rank: number, wanted: number) => boolean> = {
  '': equal,
  '=': equal,
  '>=': (rank, wanted) => rank >= wanted,
  '<=': (rank, wanted) => rank <= wanted,
  '>': (rank, wanted) => rank > wanted,
  '<': (rank, wanted) => rank < wanted,
};

/** Holds a text test against a value: lists fit when one element does; absent and null fit nothing. */
function anyText(test: TextTest): Test {
  return value => {
    if (typeof value === 'string') return test(value);
    if (value === undefined || value === null) return false;
    if (Array.isArray(value)) return value.some(item => item !== null && test(toText(item)));
    return test(toText(value));
  };
}

function exactly(value: unknown, path: string, report: Report): Test {
  if (!isScalar(value)) return refuse(path, value, report, 'a text or a number');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    report(path, 'the number is too large to be read exactly', 'write it in quotes');
  }
  const wanted = String(value);
  return anyText(text => text === wanted);
}

/** `*` stands for any characters, `?` for one. Linear in the text, whatever the pattern. */
function compileGlob(pattern: string): TextTest {
  if (pattern.includes('?')) {
    const regex = [...pattern].map(sign => (sign === '*' ? '.*' : sign === '?' ? '.' : RE2JS.quote(sign)));
    const compiled = RE2JS.compile(`(?s)${regex.join('')}`);
    return text => compiled.testExact(text);
  }
  const parts = pattern.split('*');
  const first = parts[0]!;
  const last = parts.at(-1)!;
  const between = parts.slice(1, -1).filter(part => part !== '');
  if (parts.length === 1) return text => text === pattern;
  return text => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const part of between) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

function compileRegex(pattern: string, path: string, report: Report): Test {
  try {
    const compiled = RE2JS.compile(pattern);
    return anyText(text => compiled.test(text));
  } catch (error) {
    const hint = 'the syntax is RE2: no look-around, no back-references';
    report(path, `not a regular expression: ${(error as Error).message}`, hint);
    return NEVER;
  }
}

type Scalar = string | number | boolean;

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Whether a value is a map of the configuration. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(path: string, value: unknown, report: Report, expected: string): Test {
  report(path, `expected ${expected}, found ${kindOf(value)}`);
  return NEVER;
}

/** What a value of the configuration is, in words. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}
