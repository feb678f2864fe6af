/**
 * Values as a Go template sees them. JavaScript's own types stand for the common ones: string, boolean, bigint (Go's
 * int) and number (float64). `null` is a nil inside a map or list, `undefined` no value at all: Go tells them apart
 * when a template goes on into them.
 */
import { isRawNumber, type JsonObject, type JsonValue } from '../alert/json.ts';
import { Fault } from './errors.ts';

export type Value = undefined | null | boolean | string | bigint | number | GoValue;

/** What kind of thing a value is, for comparing, counting and printing. */
export type Kind = 'invalid' | 'bool' | 'int' | 'uint' | 'float' | 'string' | 'list' | 'map' | 'struct';

/** A method bound to its value. */
export interface Method {
  /** Go types of the parameters. */
  readonly params: readonly string[];
  call(args: readonly Value[]): Value;
}

/** A value that JavaScript has no type for. */
export abstract class GoValue {
  abstract readonly kind: Kind;
  /** The Go type, as `%T` prints it. */
  abstract readonly type: string;

  /** What the type's own String method gives; undefined for types without one. */
  text(): string | undefined {
    return undefined;
  }

  method(_name: string): Method | undefined {
    return undefined;
  }
}

/** Methods of a type: name → parameter types and body. A Map, so that no name reaches a prototype. */
export type MethodTable<T> = ReadonlyMap<
  string,
  readonly [params: readonly string[], body: (self: T, args: readonly Value[]) => Value]
>;

/** Looks a method up and binds it. */
export function bind<T>(table: MethodTable<T>, self: T, name: string): Method | undefined {
  const found = table.get(name);
  if (!found) return undefined;
  const [params, body] = found;
  return { params, call: args => body(self, args) };
}

/** A JSON number: a text to Go, as falcosidekick reads it. */
export class JsonNumber extends GoValue {
  readonly kind = 'string';
  readonly type = 'json.Number';
  readonly source: string;

  constructor(source: string) {
    super();
    this.source = source;
  }

  override text(): string {
    return this.source;
  }

  override method(name: string): Method | undefined {
    return bind(NUMBER_METHODS, this, name);
  }
}

/** An integer of a named or sized type. */
export class Int extends GoValue {
  readonly kind: 'int' | 'uint';
  readonly intType: IntType;
  readonly value: bigint;

  constructor(intType: IntType, value: bigint) {
    super();
    this.kind = intType.kind;
    this.intType = intType;
    this.value = value;
  }

  get type(): string {
    return this.intType.name;
  }

  override text(): string | undefined {
    return this.intType.text?.(this.value);
  }

  override method(name: string): Method | undefined {
    const found = this.intType.methods && bind(this.intType.methods, this, name);
    if (found || name !== 'String' || !this.intType.text) return found;
    return { params: [], call: () => this.text() };
  }
}

/** An integer type; with `text` it prints as words. */
export interface IntType {
  readonly name: string;
  readonly kind: 'int' | 'uint';
  readonly text?: (value: bigint) => string;
  readonly methods?: MethodTable<Int>;
}

const INT64: IntType = { name: 'int64', kind: 'int' };
const BYTE: IntType = { name: 'uint8', kind: 'uint' };

/** An int64, wrapped as Go wraps. */
export function int64(value: bigint): Int {
  return new Int(INT64, BigInt.asIntN(64, value));
}

/** One byte of a text. */
export function byte(value: number): Int {
  return new Int(BYTE, BigInt(value));
}

const NUMBER_METHODS: MethodTable<JsonNumber> = new Map([
  ['String', [[], self => self.source]],
  [
    'Int64',
    [
      [],
      self => {
        const value = /^-?\d+$/.test(self.source) ? BigInt(self.source) : undefined;
        if (value === undefined || BigInt.asIntN(64, value) !== value) throw new Fault('not an int64');
        return int64(value);
      },
    ],
  ],
  [
    'Float64',
    [
      [],
      self => {
        const value = Number(self.source);
        if (!Number.isFinite(value)) throw new Fault('out of range of a float64');
        return value;
      },
    ],
  ],
] satisfies [string, readonly [string[], (self: JsonNumber) => Value]][]);

/** A list; items are converted when they are read. */
export class List extends GoValue {
  readonly kind = 'list';
  readonly type: string;
  readonly #items: readonly JsonValue[];
  readonly #start: number;
  readonly length: number;

  constructor(items: readonly JsonValue[], type = '[]interface {}', start = 0, end = items.length) {
    super();
    this.type = type;
    this.#items = items;
    this.#start = start;
    this.length = end - start;
  }

  /** How far a slice may reach: Go's decoder leaves room for more items, which a template can see as empty ones. */
  get capacity(): number {
    const items = this.#items.length;
    return (items > 512 ? items : nextPowerOfTwo(items)) - this.#start;
  }

  at(index: number): Value {
    const at = this.#start + index;
    if (at >= this.#items.length) return this.type === '[]string' ? '' : null;
    return fromJson(this.#items[at]);
  }

  slice(start: number, end: number): List {
    return new List(this.#items, this.type, this.#start + start, this.#start + end);
  }
}

function nextPowerOfTwo(count: number): number {
  return count === 0 ? 0 : 2 ** Math.ceil(Math.log2(count));
}

/** A map with text keys; values are converted when they are read. */
export class Dict extends GoValue {
  readonly kind = 'map';
  readonly type = 'map[string]interface {}';
  readonly #source: JsonObject | ReadonlyMap<string, JsonValue>;
  #keys: string[] | undefined;

  constructor(source: JsonObject | ReadonlyMap<string, JsonValue>) {
    super();
    this.#source = source;
  }

  /** The value under a key, null for a JSON null, undefined when there is none. */
  get(key: string): Value {
    const source = this.#source;
    if (source instanceof Map) return fromJson(source.get(key));
    return Object.hasOwn(source, key) ? fromJson((source as JsonObject)[key]) : undefined;
  }

  /** In the order of their UTF-8 bytes, as Go prints and walks maps. */
  get keys(): readonly string[] {
    this.#keys ??= [...(this.#source instanceof Map ? this.#source.keys() : Object.keys(this.#source))].sort(
      compareText,
    );
    return this.#keys;
  }
}

/** A JSON value as Go reads it with exact numbers. */
export function fromJson(value: JsonValue | undefined): Value {
  if (typeof value === 'number') return new JsonNumber(String(value));
  if (typeof value !== 'object' || value === null) return value;
  if (isRawNumber(value)) return new JsonNumber(value.rawJSON);
  return Array.isArray(value) ? new List(value) : new Dict(value as JsonObject);
}

export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    default:
      return value ? value.kind : 'invalid';
  }
}

/** The Go type of a value; `nil` for none. */
export function typeOf(value: Value): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float64';
    default:
      return value ? value.type : 'nil';
  }
}

/** The text of a value of kind string; undefined for others. */
export function asText(value: Value): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof JsonNumber ? value.source : undefined;
}

/** The number of a value of kind int or uint; undefined for others. */
export function asInt(value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return value instanceof Int ? value.value : undefined;
}

/** Whether `if` takes a value for true: not zero, not empty. */
export function isTrue(value: Value): boolean {
  if (value instanceof GoValue) {
    if (value instanceof List) return value.length > 0;
    if (value instanceof Dict) return value.keys.length > 0;
    if (value instanceof Int) return value.value !== 0n;
    return value instanceof JsonNumber ? value.source !== '' : true;
  }
  // NaN is not zero.
  return typeof value === 'number' ? value !== 0 : Boolean(value);
}

/** Orders texts by their UTF-8 bytes, which is by code points: UTF-16 order differs above the surrogates. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
