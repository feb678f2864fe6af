/** The functions that a template may call: Go's own set, and `toJson` as Helm and Sprig have it. `and` and `or` are here for their names only. */
import { Fault } from './errors.ts';
import type { Budget } from './limits.ts';
import { sprint, sprintf, sprintln } from './printf.ts';
import { escapeHtml, escapeJs, escapeQuery } from './quote.ts';
import { Time } from './time-value.ts';
import { toJson } from './to-json.ts';
import {
  asInt,
  asText,
  byte,
  compareText,
  Dict,
  isTrue,
  JsonNumber,
  kindOf,
  List,
  typeOf,
  type Value,
} from './value.ts';

/** A function with the number of arguments it takes. */
export interface TemplateFunction {
  min: number;
  max: number;
  /** The first argument must be a plain string. */
  format?: true;
  call(args: readonly Value[], budget: Budget): Value;
}

const ANY = Number.POSITIVE_INFINITY;

/** By name. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['and', { min: 1, max: ANY, call: shortCircuited }],
  ['or', { min: 1, max: ANY, call: shortCircuited }],
  ['not', { min: 1, max: 1, call: ([value]) => !isTrue(value) }],
  ['eq', { min: 1, max: ANY, call: ([first, ...others], budget) => isAnyEqual(first, others, budget) }],
  ['ne', { min: 2, max: 2, call: ([a, b], budget) => !isEqual(a, b, budget) }],
  ['lt', { min: 2, max: 2, call: ([a, b], budget) => isLess(a, b, budget) }],
  ['le', { min: 2, max: 2, call: ([a, b], budget) => isLess(a, b, budget) || isEqual(a, b, budget) }],
  ['gt', { min: 2, max: 2, call: ([a, b], budget) => !isLess(a, b, budget) && !isEqual(a, b, budget) }],
  ['ge', { min: 2, max: 2, call: ([a, b], budget) => !isLess(a, b, budget) }],
  ['index', { min: 1, max: ANY, call: ([item, ...indexes], budget) => index(item, indexes, budget) }],
  ['slice', { min: 1, max: ANY, call: ([item, ...indexes], budget) => slice(item, indexes, budget) }],
  ['len', { min: 1, max: 1, call: ([item], budget) => BigInt(lengthOf(item, budget)) }],
  ['print', { min: 0, max: ANY, call: sprint }],
  ['println', { min: 0, max: ANY, call: sprintln }],
  [
    'printf',
    {
      min: 1,
      max: ANY,
      format: true,
      call: ([format, ...values], budget) => sprintf(format as string, values, budget),
    },
  ],
  ['html', { min: 0, max: ANY, call: escaping(escapeHtml) }],
  ['js', { min: 0, max: ANY, call: escaping(escapeJs) }],
  ['urlquery', { min: 0, max: ANY, call: escaping(escapeQuery) }],
  ['toJson', { min: 1, max: 1, call: ([value], budget) => budget.made(toJson(value)) }],
  ['call', { min: 1, max: ANY, call: ([value]) => notAFunction(value) }],
]);

function shortCircuited(): never {
  throw new Fault('and and or are evaluated where they stand');
}

function notAFunction(value: Value): never {
  throw new Fault(`a value of type ${typeOf(value)} is not a function`);
}

function escaping(toEscaped: (text: string) => string): TemplateFunction['call'] {
  return (args, budget) => {
    const [only] = args;
    const text =
      args.length === 1 && typeof only === 'string'
        ? only
        : sprint(
            args.map(value => value ?? '<no value>'),
            budget,
          );
    budget.checkLength(text.length);
    return budget.made(toEscaped(text));
  };
}

function isAnyEqual(first: Value, others: readonly Value[], budget: Budget): boolean {
  if (others.length === 0) throw new Fault('eq needs something to compare with');
  return others.some(other => isEqual(first, other, budget));
}

function isEqual(a: Value, b: Value, budget: Budget): boolean {
  const kinds = [kindOf(a), kindOf(b)] as const;
  const ints = [asInt(a), asInt(b)] as const;
  // Signed and unsigned compare as numbers.
  if (ints[0] !== undefined && ints[1] !== undefined) return ints[0] === ints[1];
  if (kinds[0] === 'invalid' || kinds[1] === 'invalid') return kinds[0] === kinds[1];
  if (kinds[0] !== kinds[1]) throw incompatible(a, b);
  switch (kinds[0]) {
    case 'string': {
      const text = asText(a) ?? '';
      budget.read(text);
      return text === asText(b);
    }
    case 'bool':
    case 'float':
      return a === b;
    case 'struct':
      if (a instanceof Time && b instanceof Time) return isSameTime(a, b);
      break;
  }
  throw new Fault(`values of type ${typeOf(a)} cannot be compared`);
}

/** Same moment told in the same zone: Go's == of two times. */
function isSameTime(a: Time, b: Time): boolean {
  return (
    a.unixNano === b.unixNano && a.instant.offset === b.instant.offset && a.instant.zone === b.instant.zone
  );
}

function isLess(a: Value, b: Value, budget: Budget): boolean {
  const ints = [asInt(a), asInt(b)] as const;
  if (ints[0] !== undefined && ints[1] !== undefined) return ints[0] < ints[1];
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  const texts = [asText(a), asText(b)] as const;
  if (texts[0] === undefined || texts[1] === undefined) throw incompatible(a, b);
  budget.read(texts[0]);
  return compareText(texts[0], texts[1]) < 0;
}

function incompatible(a: Value, b: Value): Fault {
  return new Fault(`values of type ${typeOf(a)} and ${typeOf(b)} cannot be compared`);
}

function index(item: Value, indexes: readonly Value[], budget: Budget): Value {
  if (item === undefined || item === null) throw new Fault('nothing to look into: the value is nil');
  let found: Value = item;
  for (const key of indexes) {
    if (found === undefined || found === null) throw new Fault('nothing to look into: the value is nil');
    if (found instanceof Dict) {
      // A key of another text type, such as a JSON number, is refused too.
      if (typeof key !== 'string') throw new Fault(`a key must be a string, not ${typeOf(key)}`);
      found = found.get(key) ?? null;
    } else if (found instanceof List) {
      found = found.at(position(key, found.length - 1));
    } else {
      const text = asText(found);
      if (text === undefined) throw new Fault(`a value of type ${typeOf(found)} has no index`);
      budget.read(text);
      const bytes = Buffer.from(text);
      found = byte(bytes[position(key, bytes.length - 1)] ?? 0);
    }
  }
  return found;
}

function slice(item: Value, indexes: readonly Value[], budget: Budget): Value {
  if (indexes.length > 3) throw new Fault('slice takes at most three positions');
  const text = asText(item);
  if (text !== undefined && indexes.length === 3)
    throw new Fault('a text is sliced with at most two positions');
  if (text === undefined && !(item instanceof List)) {
    throw new Fault(`a value of type ${typeOf(item)} cannot be sliced`);
  }
  const length = lengthOf(item, budget);
  const limit = item instanceof List ? item.capacity : length;
  const [start = 0, end = length, last = limit] = indexes.map(value => position(value, limit));
  if (start > end || end > last) throw new Fault(`slice from ${start} to ${end} runs backwards`);
  if (item instanceof List) return item.slice(start, end);
  const part =
    text === undefined || text.length === length
      ? (text ?? '').slice(start, end)
      : Buffer.from(text).subarray(start, end).toString();
  return item instanceof JsonNumber ? new JsonNumber(part) : part;
}

function position(value: Value, limit: number): number {
  const number = asInt(value);
  if (number === undefined) throw new Fault(`a position must be a whole number, not ${typeOf(value)}`);
  if (number < 0n || number > BigInt(limit)) throw new Fault(`position ${number} is out of range`);
  return Number(number);
}

/** Bytes of a text, items of a list, keys of a map. */
function lengthOf(item: Value, budget: Budget): number {
  if (item instanceof List) return item.length;
  if (item instanceof Dict) {
    budget.spend(item.keys.length >> 4);
    return item.keys.length;
  }
  const text = asText(item);
  if (text === undefined) throw new Fault(`a value of type ${typeOf(item)} has no length`);
  budget.read(text);
  return Buffer.byteLength(text);
}
