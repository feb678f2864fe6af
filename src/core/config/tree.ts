/**
 * The settings as they were written: a tree that knows of every value where it came from. It is read from the file,
 * then the environment is laid over it, then the schemas turn it into plain values.
 */

/** Where a value came from. */
export interface Origin {
  /** 1-based line in the file. */
  line?: number;
  /** Environment variable. */
  env?: string;
}

/** One text, number, flag or null. */
export interface Leaf {
  kind: 'leaf';
  origin: Origin;
  value: string | number | boolean | null;
  /** As it was written: `0123` stays that, where the value is a number. */
  source: string;
  /** Parts of the value that came from a secret file or from `${env:}`: masked like secrets, never quoted. */
  hidden?: string[];
}

export interface Branch {
  kind: 'list';
  origin: Origin;
  items: Tree[];
}

export interface Section {
  kind: 'map';
  origin: Origin;
  /** By key in lower case. */
  entries: Map<string, Entry>;
}

export interface Entry {
  /** As it was written. */
  key: string;
  /** Line of the key. */
  line?: number;
  tree: Tree;
}

export type Tree = Leaf | Branch | Section;

/** Keys and list positions from the root on. */
export type Path = readonly (string | number)[];

export function emptySection(origin: Origin = {}): Section {
  return { kind: 'map', origin, entries: new Map() };
}

export function leaf(value: Leaf['value'], origin: Origin, source = String(value ?? '')): Leaf {
  return { kind: 'leaf', origin, value, source };
}

/** Whether a value counts as not given: absent, `key:` or `key: ~`. */
export function isUnset(tree: Tree | undefined): boolean {
  return tree === undefined || (tree.kind === 'leaf' && tree.value === null);
}

/** Whether a value says nothing: not given, an empty text, list or map. */
export function isEmpty(tree: Tree): boolean {
  if (tree.kind === 'leaf') return tree.value === null || tree.value === '';
  return (tree.kind === 'list' ? tree.items.length : tree.entries.size) === 0;
}

/** `slack[1].webhookurl`. A key that is no plain word, such as a URL in the wrong place, is not repeated. */
export function pathText(path: Path): string {
  return path
    .map((part, at) => {
      if (typeof part === 'number') return `[${part}]`;
      const shown = /^[\w.\-/<[\]]{1,64}$/.test(part) ? part : '?';
      return at > 0 ? `.${shown}` : shown;
    })
    .join('');
}

/** What stands at a path of keys. */
export function find(root: Section, path: readonly string[]): Tree | undefined {
  let tree: Tree | undefined = root;
  for (const key of path) tree = tree?.kind === 'map' ? tree.entries.get(key)?.tree : undefined;
  return tree;
}

/** What the file says, with its numbers and flags; keys, and numbers that would read otherwise, as they were written. */
export function toTyped(tree: Tree): unknown {
  if (tree.kind === 'leaf') {
    const { value, source } = tree;
    // `1.10`, and an id of a container such as `5127e8914032`.
    return typeof value === 'number' && (String(value) !== source || !Number.isSafeInteger(value))
      ? source
      : value;
  }
  if (tree.kind === 'list') return tree.items.map(toTyped);
  return Object.fromEntries([...tree.entries.values()].map(({ key, tree }) => [key, toTyped(tree)]));
}

/** The same with every value as the text it was written as, and keys in lower case as falcosidekick has them. */
export function toTexts(tree: Tree): unknown {
  if (tree.kind === 'leaf') return tree.value === null ? null : tree.source;
  if (tree.kind === 'list') return tree.items.map(toTexts);
  return Object.fromEntries([...tree.entries].map(([key, { tree }]) => [key, toTexts(tree)]));
}

/** Calls back for every leaf with its path. */
export function eachLeaf(tree: Tree, visit: (leaf: Leaf, path: Path) => void, path: Path = []): void {
  if (tree.kind === 'leaf') visit(tree, path);
  else if (tree.kind === 'list') {
    for (const [at, item] of tree.items.entries()) eachLeaf(item, visit, [...path, at]);
  } else {
    for (const { key, tree: inner } of tree.entries.values()) eachLeaf(inner, visit, [...path, key]);
  }
}

/** What a value is, for a message: never the value itself. */
export function kindOf(tree: Tree): string {
  if (tree.kind === 'list') return 'a list';
  if (tree.kind === 'map') return 'a map';
  if (tree.value === null) return 'nothing';
  return typeof tree.value === 'string' ? 'a text' : typeof tree.value === 'number' ? 'a number' : 'a flag';
}

/**
 * The origin of what a path text such as `match[0].k8s.ns.name` points at, or of the deepest part of it that exists.
 * Keys with dots in them are found as well.
 */
export function locate(tree: Tree, text: string): Origin {
  const rest = text.replace(/^\./, '');
  const index = /^\[(\d+)\]/.exec(rest);
  if (tree.kind === 'list' && index) {
    const item = tree.items[Number(index[1])];
    return item ? locate(item, rest.slice(index[0].length)) : tree.origin;
  }
  if (tree.kind === 'map' && rest !== '') {
    const lower = rest.toLowerCase();
    for (const [key, entry] of tree.entries) {
      if (lower !== key && !lower.startsWith(`${key}.`) && !lower.startsWith(`${key}[`)) continue;
      const inner = locate(entry.tree, rest.slice(key.length));
      return inner.line === undefined && inner.env === undefined && entry.line ? { line: entry.line } : inner;
    }
  }
  return tree.origin;
}
