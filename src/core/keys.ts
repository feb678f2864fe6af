/** Builders for described configuration keys. Every key of every schema is made by one of these. */
import { z } from 'zod';
import { PRIORITIES, parsePriority } from './alert/priority.ts';
import { parseDuration, parsePairs, parseSize } from './units.ts';

export { parseDuration, parsePairs, parseSize } from './units.ts';

/** What the documentation, the JSON Schema and the masking know of a key. */
export interface KeyMeta {
  description: string;
  /** The value is masked wherever it could be seen. */
  secret?: boolean;
  /** The value may name a user and a password before an `@`: they are masked wherever they could be seen. */
  userInfo?: boolean;
  /** How a text (environment, comma list) becomes the value. `nested` keys are not made from a text. */
  form: 'text' | 'flag' | 'number' | 'list' | 'pairs' | 'duration' | 'size' | 'enum' | 'priority' | 'nested';
  /** What a good value looks like, `a whole number from 0 to 65535`. */
  expected: string;
  /** In the text of `pairs`, a name without a colon has an empty value. */
  bareNames?: boolean;
  /** The words that an `enum` takes. */
  values?: readonly string[];
  /** Bounds of a `number`, and whether it has to be whole. */
  min?: number;
  max?: number;
  whole?: boolean;
  /** The keys of a group. */
  shape?: z.ZodRawShape;
}

// `.meta()` is called last in each builder: zod keeps metadata on the instance it was set on.
function described<T extends z.ZodType>(schema: T, meta: KeyMeta): T {
  return schema.meta({ ...meta }) as T;
}

// The default is given twice: inside for what `parse` takes as not set (null), outside for the key that is absent.
function parsed<T extends z.ZodType>(parse: (value: unknown) => unknown, schema: T, fallback: z.output<T>) {
  const inner = z.preprocess(parse, schema.default(fallback as never));
  return inner.default(fallback as never);
}

// YAML gives numbers and flags for text keys (`password: 1234`): take them as their text.
const toText = (value: unknown) =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : (value ?? undefined);

const item = z.preprocess(value => toText(value) ?? '', z.string());

/** Free text; empty by default. */
export function text(description: string, fallback = '') {
  return described(parsed(toText, z.string(), fallback), { description, form: 'text', expected: 'text' });
}

/** Text that is masked everywhere. */
export function secret(description: string) {
  return described(parsed(toText, z.string(), ''), {
    description,
    secret: true,
    form: 'text',
    expected: 'text',
  });
}

function urlKey(description: string, schemes: readonly string[], marks: { secret?: true }, fallback = '') {
  const expected = `a URL that starts with ${schemes.map(scheme => `${scheme}://`).join(' or ')}`;
  const isUrl = (value: string) =>
    value === '' || (URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)));
  const trimmed = (value: unknown) => (typeof value === 'string' ? value.trim() || undefined : toText(value));
  const schema = z.string().refine(isUrl, { error: `expected ${expected}` });
  return described(parsed(trimmed, schema, fallback), { description, form: 'text', expected, ...marks });
}

/** A URL with one of the schemes (http and https by default); empty means not set, which is the default if none is given. */
export function url(
  description: string,
  schemes: readonly string[] = ['http', 'https'],
  options: { fallback?: string } = {},
) {
  return urlKey(description, schemes, {}, options.fallback);
}

/** A URL that holds a credential. */
export function secretUrl(description: string, schemes: readonly string[] = ['http', 'https']) {
  return urlKey(description, schemes, { secret: true });
}

const TRUE = new Set(['1', 't', 'true', 'yes', 'on']);
const FALSE = new Set(['0', 'f', 'false', 'no', 'off']);

/** Reads true, 1, t, yes, on and their opposites, in any case; undefined when it is none. */
export function parseFlag(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const word = String(value).trim().toLowerCase();
  return TRUE.has(word) ? true : FALSE.has(word) ? false : undefined;
}

/** An empty value in a file is none, as it is in the environment. */
function given(value: unknown): unknown {
  return value === null || value === '' ? undefined : value;
}

/** true or false; from text also 1, t, yes, on and their opposites, in any case. */
export function flag(description: string, fallback = false) {
  const parse = (value: unknown) => parseFlag(value) ?? given(value);
  return described(parsed(parse, z.boolean(), fallback), {
    description,
    form: 'flag',
    expected: 'true or false',
  });
}

interface Bounds {
  min?: number;
  max?: number;
}

function numberKey(description: string, fallback: number, bounds: Bounds, whole: boolean) {
  const { min = 0, max = whole ? Number.MAX_SAFE_INTEGER : Number.MAX_VALUE } = bounds;
  const parse = (value: unknown) =>
    typeof value === 'string' && /^\s*[+-]?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : given(value);
  const range = bounds.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  return described(parsed(parse, (whole ? z.int() : z.number()).min(min).max(max), fallback), {
    description,
    form: 'number',
    expected: `a ${whole ? 'whole ' : ''}number ${range}`,
    whole,
    min,
    max: bounds.max,
  });
}

/** A whole number within bounds, 0 and up by default. */
export function integer(description: string, fallback: number, bounds: Bounds = {}) {
  return numberKey(description, fallback, bounds, true);
}

/** A number within bounds, 0 and up by default. */
export function decimal(description: string, fallback: number, bounds: Bounds = {}) {
  return numberKey(description, fallback, bounds, false);
}

/**
 * One of a fixed set of words, in any case; the default stands for the empty text.
 * `otherwise` stands for unknown words, where falcosidekick takes any.
 */
export function oneOf<const T extends string>(
  description: string,
  values: readonly [T, ...T[]],
  fallback: NoInfer<T>,
  options: { otherwise?: NoInfer<T> } = {},
) {
  const parse = (value: unknown) => {
    if (given(value) === undefined) return undefined;
    const word = String(value).trim().toLowerCase();
    return values.find(known => known.toLowerCase() === word) ?? options.otherwise ?? value;
  };
  const words = values.filter(value => value !== '');
  return described(parsed(parse, z.enum(values), fallback as never), {
    description,
    form: 'enum',
    expected: `one of ${words.join(', ')}`,
    values,
  });
}

/** A list of texts; a single text is split at commas. */
export function list(description: string, fallback: string[] = [], options: { userInfo?: boolean } = {}) {
  const parse = (value: unknown) => {
    const single = toText(value);
    if (typeof single !== 'string') return single;
    return single
      .split(',')
      .map(part => part.trim())
      .filter(Boolean);
  };
  return described(parsed(parse, z.array(item), fallback), {
    description,
    form: 'list',
    expected: 'a list of texts',
    ...options,
  });
}

/** A list of addresses, each with or without a scheme, and with or without `user:password@`. */
export function addresses(description: string) {
  return list(description, [], { userInfo: true });
}

// `name:` and `name: ~` say nothing, to falcosidekick neither.
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value ?? undefined;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}

/**
 * A map of texts; from one text as `name:value,other:value`. With `bareNames` every comma there ends a pair, and a name
 * alone has an empty value.
 */
export function pairs(description: string, options: { secret?: boolean; bareNames?: boolean } = {}) {
  const parse = (value: unknown) =>
    typeof value === 'string' ? (parsePairs(value, options.bareNames) ?? value) : withoutNulls(value);
  return described(parsed(parse, z.record(z.string(), item), {}), {
    description,
    form: 'pairs',
    expected: 'a map of texts, or name:value pairs with commas between them',
    ...options,
  });
}

/** Node's timers overflow beyond 2^31 ms, and then fire at once. */
export const MAX_WAIT_MS = 24 * 86_400_000;

/** A span of time in milliseconds, written like `10s` or `1h30m`. */
export function duration(
  description: string,
  fallback: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds = {},
) {
  const least = min > 0 ? `, at least ${min}ms` : '';
  const most = max === MAX_WAIT_MS ? ', at most 24d' : '';
  const expected = `a duration such as 500ms, 10s, 5m, 24h or 7d${least}${most}`;
  const parse = (value: unknown) =>
    given(value) === undefined ? undefined : (parseDuration(String(value)) ?? String(value));
  const error = `expected ${expected}`;
  const limited = z.number({ error }).min(min, { error }).max(max, { error });
  return described(parsed(parse, limited, parseDuration(fallback)!), {
    description,
    form: 'duration',
    expected,
  });
}

/** The same for something that waits so long, `min` milliseconds at least. */
export function wait(description: string, fallback: string, { min }: Pick<Bounds, 'min'> = {}) {
  return duration(description, fallback, { min, max: MAX_WAIT_MS });
}

/** The same key without its default: undefined unless it is given. Not for texts, which may be empty. */
export function withoutDefault<T extends z.ZodType>(schema: T) {
  return described(z.preprocess(given, z.union([z.undefined(), schema])), keyMeta(schema)!);
}

/** A number of bytes, written like `64MiB`, `min` at least. */
export function size(description: string, fallback: string, { min = 0 }: Pick<Bounds, 'min'> = {}) {
  const expected = `a size such as 512KiB, 64MiB or 1GiB${min > 0 ? `, at least ${min}` : ''}`;
  const error = `expected ${expected}`;
  const parse = (value: unknown) =>
    given(value) === undefined ? undefined : (parseSize(String(value)) ?? String(value));
  return described(parsed(parse, z.number({ error }).min(min, { error }), parseSize(fallback)!), {
    description,
    form: 'size',
    expected,
  });
}

/** A minimum priority; empty takes every alert. */
export function minimumPriority(
  description = 'Least severe priority that this output takes; empty for all.',
) {
  const parse = (value: unknown) => {
    if (given(value) === undefined) return '';
    return parsePriority(String(value).trim()) ?? value;
  };
  const values = ['', ...PRIORITIES] as const;
  return described(parsed(parse, z.enum(values), ''), {
    description,
    form: 'priority',
    expected: `one of ${[...PRIORITIES].reverse().join(', ').toLowerCase()}`,
    values,
  });
}

/** A group of keys under one name. */
export function group<S extends z.ZodRawShape>(description: string, shape: S) {
  return described(z.preprocess(value => value ?? {}, z.strictObject(shape)).prefault({}), {
    description,
    form: 'nested',
    expected: `a map with ${Object.keys(shape).join(', ')}`,
    shape,
  });
}

/** A described key of any other schema. */
export function key<T extends z.ZodType>(
  description: string,
  schema: T,
  options: { secret?: boolean; expected?: string } = {},
): T {
  return described(schema, { description, form: 'nested', expected: 'another value', ...options });
}

/** What a key says of itself; undefined for a schema that no builder made. */
export function keyMeta(schema: z.ZodType): KeyMeta | undefined {
  return schema.meta() as KeyMeta | undefined;
}
