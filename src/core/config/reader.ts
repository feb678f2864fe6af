/** Turns settings into plain values by their schemas, and notes problems, secrets and the masked form on the way. */
import type { z } from 'zod';
import { type KeyMeta, keyMeta } from '../keys.ts';
import { addressUserInfo, MASK, maskAddress, userInfo } from '../redact.ts';
import { formatDuration, formatSize } from '../units.ts';
import { nearest } from './nearest.ts';
import type { Problems } from './problems.ts';
import {
  isEmpty,
  isUnset,
  kindOf,
  type Leaf,
  type Path,
  type Section,
  type Tree,
  toTexts,
  toTyped,
} from './tree.ts';

export interface Reading {
  /** By key; durations in milliseconds, sizes in bytes. Keys that could not be read have their default. */
  values: Record<string, unknown>;
  /** As the file would have it, secrets masked. */
  masked: Record<string, unknown>;
}

export interface ReadContext {
  problems: Problems;
  /** Secrets that were met; added to. */
  secrets: Set<string>;
  /** Whether a key that is not in the schema is one of falcosidekick's. */
  ineffective?(path: Path): boolean;
  /** Where the value of a key was found, if not in the section itself. */
  foundAt?(key: string): Path | undefined;
  /** Further keys that may have been meant by an unknown one. */
  known?: readonly string[];
}

/** Reads the keys of `shape`. */
export function readKeys(shape: z.ZodRawShape, section: Section, path: Path, context: ReadContext): Reading {
  const reading: Reading = { values: {}, masked: {} };
  for (const [key, schema] of Object.entries(shape) as [string, z.ZodType][]) {
    const meta = keyMeta(schema);
    const tree = section.entries.get(key)?.tree;
    const at = context.foundAt?.(key) ?? [...path, key];
    if (meta?.shape) {
      const inner = readKeys(meta.shape, asSection(tree, at, meta, context), at, context);
      reading.values[key] = inner.values;
      reading.masked[key] = inner.masked;
    } else {
      const value = readLeaf(schema, meta, tree, at, context);
      reading.values[key] = value;
      if (value !== undefined) reading.masked[key] = maskValue(value, meta, context.secrets);
    }
  }
  reportUnknown(shape, section, path, context);
  return reading;
}

function asSection(tree: Tree | undefined, path: Path, meta: KeyMeta, { problems }: ReadContext): Section {
  if (tree?.kind === 'map') return tree;
  if (!isUnset(tree)) problems.error(path, `expected ${meta.expected}, found ${kindOf(tree!)}`, tree!.origin);
  return { kind: 'map', origin: {}, entries: new Map() };
}

function readLeaf(
  schema: z.ZodType,
  meta: KeyMeta | undefined,
  tree: Tree | undefined,
  path: Path,
  context: ReadContext,
): unknown {
  if (isUnset(tree)) return schema.safeParse(undefined).data;
  noteSecrets(tree!, meta, context.secrets);
  const typed = meta?.form === 'nested';
  const result = schema.safeParse(typed ? toTyped(tree!) : toTexts(tree!));
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const inner = follow(tree!, issue.path);
    const expected = issue.path.length > 0 ? 'a text' : (meta?.expected ?? 'another value');
    const message = `expected ${expected}, found ${foundText(inner, meta)}`;
    const at = [...path, ...(issue.path as (string | number)[])];
    const hint = meta?.values && nearestValue(inner, meta.values);
    // falcosidekick starts with a priority that it does not know, and then takes every alert.
    if (meta?.form === 'priority')
      context.problems.doubt(at, `${message}; every alert is taken`, inner.origin, hint);
    else context.problems.error(at, message, inner.origin, hint);
  }
  return schema.safeParse(undefined).data;
}

/** The part of a value that an issue is about, as far as it is there. */
function follow(tree: Tree, path: readonly PropertyKey[]): Tree {
  let at = tree;
  for (const part of path) {
    const inner =
      at.kind === 'map'
        ? at.entries.get(String(part))?.tree
        : at.kind === 'list'
          ? at.items[Number(part)]
          : undefined;
    if (!inner) return at;
    at = inner;
  }
  return at;
}

const SHORT_FORMS = new Set(['flag', 'number', 'enum', 'duration', 'size', 'priority']);
const SCHEME = /^(https?|ftps?|file|tcp|udp|tls|ssl|natss?|wss?|rediss?|amqps?|mqtts?|kafka|unix):\/\//i;

/** What was found. Only values of keys that hold no free text are quoted, and never what came from a secret. */
function foundText(tree: Tree, meta: KeyMeta | undefined): string {
  if (tree.kind !== 'leaf') return kindOf(tree);
  const quotable =
    meta && SHORT_FORMS.has(meta.form) && !meta.secret && !tree.hidden && !tree.origin.env?.endsWith('_FILE');
  if (quotable) return JSON.stringify(tree.source.length > 40 ? `${tree.source.slice(0, 40)}…` : tree.source);
  const scheme = SCHEME.exec(tree.source)?.[0];
  if (meta?.form === 'text' && meta.expected.startsWith('a URL')) {
    return scheme ? `one that starts with ${scheme}` : 'a text that is none';
  }
  return kindOf(tree);
}

function nearestValue(tree: Tree, values: readonly string[]): string | undefined {
  const word = tree.kind === 'leaf' ? nearest(tree.source, values.filter(Boolean)) : undefined;
  return word && `did you mean ${word}?`;
}

const TEXT_FORMS = new Set(['text', 'list', 'pairs', 'nested']);

/** Remembers what has to be masked: values of secret keys, what came from secret files, credentials in URLs. */
function noteSecrets(tree: Tree, meta: KeyMeta | undefined, secrets: Set<string>): void {
  const texts = meta !== undefined && TEXT_FORMS.has(meta.form);
  const visit = (leaf: Leaf) => {
    if (typeof leaf.value === 'string') {
      const found = meta?.userInfo ? addressUserInfo(leaf.value) : userInfo(leaf.value);
      for (const part of found) secrets.add(part);
    }
    // The chart keeps whole addresses in files: without their user and password they are no secret.
    const isAddress = (part: string) => meta?.userInfo === true && part === leaf.value;
    if (texts) for (const part of leaf.hidden ?? []) if (!isAddress(part)) secrets.add(part);
    if (meta?.secret && leaf.value !== null) secrets.add(leaf.source);
  };
  const walk = (inner: Tree): void => {
    if (inner.kind === 'leaf') visit(inner);
    else if (inner.kind === 'list') inner.items.forEach(walk);
    else for (const entry of inner.entries.values()) walk(entry.tree);
  };
  walk(tree);
}

function maskValue(value: unknown, meta: KeyMeta | undefined, secrets: Set<string>): unknown {
  if (meta?.form === 'duration') return formatDuration(value as number);
  if (meta?.form === 'size') return formatSize(value as number);
  if (meta?.userInfo) return (value as string[]).map(maskAddress);
  if (!meta?.secret) return value;
  const mask = (text: string) => {
    // Also parts of `name:value` text, which were one text when the secrets were noted.
    if (text !== '') secrets.add(text);
    return text === '' ? '' : MASK;
  };
  if (typeof value === 'string') return mask(value);
  if (Array.isArray(value)) return value.map(item => mask(String(item)));
  return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, mask(String(item))]));
}

function reportUnknown(shape: z.ZodRawShape, section: Section, path: Path, context: ReadContext): void {
  for (const [key, entry] of section.entries) {
    if (Object.hasOwn(shape, key)) continue;
    const at = [...path, key];
    const word = context.problems.many
      ? undefined
      : nearest(key, [...Object.keys(shape), ...(context.known ?? [])]);
    const origin = entry.line === undefined ? entry.tree.origin : { line: entry.line };
    if (context.ineffective?.(at)) {
      if (!isEmpty(entry.tree))
        context.problems.warning(
          [...path, entry.key],
          'this key of falcosidekick has no effect here',
          origin,
        );
    } else {
      const hint = word && `did you mean ${word}?`;
      context.problems.doubt([...path, entry.key], 'unknown key; it is ignored', origin, hint);
    }
  }
}
