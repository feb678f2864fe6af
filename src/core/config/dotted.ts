/**
 * Keys with dots in them: `slack.webhookurl: ...` is the key `webhookurl` in the section `slack`, as in falcosidekick.
 * Names within maps (`customfields`, `customheaders`) keep their dots.
 */
import type { z } from 'zod';
import type { OutputDefinition } from '../contract.ts';
import { keyMeta } from '../keys.ts';
import { KNOWN_OUTPUTS } from './falcosidekick-keys.ts';
import type { Problems } from './problems.ts';
import { commonKeys, nameKey, ownKeys, settingsShape } from './schema.ts';
import { type Entry, emptySection, isUnset, kindOf, type Path, type Section, type Tree } from './tree.ts';

/** The names of a section, each with those below it; none below a value, whatever that looks like. */
type Names = Map<string, Names>;

/** Moves what has a dotted key to where the dots lead, as far as there are such sections. */
export function unfold(root: Section, definitions: readonly OutputDefinition[], problems: Problems): void {
  if (hasDots(root)) unfoldSection(root, namesOf(definitions), [], problems);
}

function hasDots(tree: Tree): boolean {
  if (tree.kind === 'leaf') return false;
  if (tree.kind === 'list') return tree.items.some(hasDots);
  return [...tree.entries].some(([key, entry]) => key.includes('.') || hasDots(entry.tree));
}

function namesOf(definitions: readonly OutputDefinition[]): Names {
  const names: Names = new Map();
  addShape(names, settingsShape);
  for (const definition of definitions) {
    const section = at(names, definition.name);
    addShape(section, ownKeys(definition));
    addShape(section, commonKeys(definition));
    at(section, nameKey(definition));
  }
  for (const { section, keys } of KNOWN_OUTPUTS) for (const key of keys) at(names, `${section}.${key}`);
  return names;
}

function addShape(names: Names, shape: z.ZodRawShape): void {
  for (const [key, schema] of Object.entries(shape)) {
    const inner = at(names, key);
    const meta = keyMeta(schema as z.ZodType);
    if (meta?.shape) addShape(inner, meta.shape);
  }
}

/** The names below a path, which there are from now on. */
function at(names: Names, path: string): Names {
  let inner = names;
  for (const part of path.split('.')) {
    const next = inner.get(part) ?? new Map();
    inner.set(part, next);
    inner = next;
  }
  return inner;
}

function unfoldTree(tree: Tree, names: Names, path: Path, problems: Problems): void {
  if (tree.kind === 'list') {
    for (const [index, item] of tree.items.entries()) unfoldTree(item, names, [...path, index], problems);
  } else if (tree.kind === 'map') {
    unfoldSection(tree, names, path, problems);
  }
}

function unfoldSection(section: Section, names: Names, path: Path, problems: Problems): void {
  // A value's own map: its names are the user's.
  if (names.size === 0) return;
  for (const [key, entry] of [...section.entries]) {
    const [first = '', ...rest] = key.split('.');
    const below = names.get(first);
    if (below === undefined) continue;
    if (rest.length === 0) {
      unfoldTree(entry.tree, below, [...path, entry.key], problems);
      continue;
    }
    section.entries.delete(key);
    const cut = entry.key.indexOf('.');
    const [above, inner] = [entry.key.slice(0, cut), entry.key.slice(cut + 1)];
    const moved = emptySection(entry.tree.origin);
    moved.entries.set(rest.join('.'), { ...entry, key: inner });
    unfoldSection(moved, below, [...path, above], problems);
    merge(section, first, { ...entry, key: above, tree: moved }, path, problems);
  }
}

/** Puts an entry beside what is there; maps become one. */
function merge(section: Section, key: string, entry: Entry, path: Path, problems: Problems): void {
  const present = section.entries.get(key);
  const inner = [...path, entry.key];
  if (present === undefined || isUnset(present.tree)) {
    section.entries.set(key, entry);
  } else if (present.tree.kind === 'map' && entry.tree.kind === 'map') {
    for (const [name, one] of entry.tree.entries) merge(present.tree, name, one, inner, problems);
  } else {
    const place = present.line === undefined ? '' : ` (line ${present.line})`;
    const message =
      entry.tree.kind === 'map'
        ? `expected a map of settings that this key belongs to, found ${kindOf(present.tree)}${place}`
        : `this key is given twice${present.line === undefined ? '' : `, also on line ${present.line}`}`;
    problems.error(inner, message, entry.line === undefined ? entry.tree.origin : { line: entry.line });
  }
}
