/** Reads the text of a configuration file (YAML 1.2 or JSON) into a tree. Pure. */
import {
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from 'yaml';
import type { Problems } from './problems.ts';
import {
  emptySection,
  isUnset,
  leaf,
  type Origin,
  type Path,
  pathText,
  type Section,
  type Tree,
} from './tree.ts';

/** Far above any configuration, far below what takes long; also what aliases may unfold to. */
const MAX_BYTES = 4 << 20;
const MAX_NODES = 100_000;
const MAX_DEPTH = 32;
/** Mistakes in the writing itself that are told. */
const MAX_ERRORS = 5;

const TOO_MUCH = 'values are nested too deeply, or aliases repeat too much';

// The library's messages can quote the text, which may hold secrets; these cannot.
const SYNTAX: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: 'this alias stands before its anchor, or has none',
  BAD_DQ_ESCAPE: 'unknown escape in a double-quoted text; use single quotes',
  BAD_INDENT: 'wrong indentation, or a closing ] or } is missing',
  BAD_SCALAR_START: 'a text cannot start with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'two keys on one line; a text with `: ` in it has to be in quotes',
  BLOCK_IN_FLOW: 'a block cannot stand inside of [ ] or { }',
  MISSING_CHAR: 'a closing quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key cannot go over several lines; is a colon missing?',
  MULTIPLE_DOCS: 'the file holds several documents; leave one, without `---`',
  NON_STRING_KEY: 'a key has to be a text',
  RESOURCE_EXHAUSTION: TOO_MUCH,
  TAB_AS_INDENT: 'a tab cannot indent; use spaces',
  UNEXPECTED_TOKEN: 'unexpected text; is a quote missing, or the indentation wrong?',
};

/** The settings of a file. Problems go to `problems`; nothing is thrown. */
export function readDocument(text: string, problems: Problems): Section {
  // What UTF-16 becomes when it is read as UTF-8; YAML itself knows no NUL.
  if (text.includes('\0')) {
    problems.error([], 'this is no UTF-8 text; save the file as UTF-8');
    return emptySection();
  }
  const tree = readValue(text, problems);
  if (tree?.kind === 'map') return tree;
  if (tree && !isUnset(tree)) problems.error([], 'expected a map of settings, `key: value`', tree.origin);
  return emptySection();
}

/** Any one value written as YAML or JSON; undefined, with a problem, when it cannot be read. */
export function readValue(text: string, problems: Problems, path: Path = []): Tree | undefined {
  if (text.length > MAX_BYTES) {
    problems.error(path, `the text is larger than ${MAX_BYTES >> 20} MiB`);
    return undefined;
  }
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\uFEFF/, ''), {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    // `silent` would also hide that there are several documents.
    logLevel: 'error',
  });
  // One mistake makes the parser stumble on for the rest of the file.
  const told = new Set<number>();
  for (const error of document.errors) {
    const { line } = lines.linePos(error.pos[0]);
    if (told.has(line) || told.size === MAX_ERRORS) continue;
    told.add(line);
    const message = SYNTAX[error.code] ?? `not valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`;
    problems.error(path, message, { line });
  }
  if (document.errors.length > 0) return undefined;
  return new Reader(lines, problems).tree(document.contents as Node | null, path, 0);
}

class Reader {
  readonly #lines: LineCounter;
  readonly #problems: Problems;
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;

  constructor(lines: LineCounter, problems: Problems) {
    this.#lines = lines;
    this.#problems = problems;
  }

  #origin(node: Node): Origin {
    return node.range ? { line: this.#lines.linePos(node.range[0]).line } : {};
  }

  tree(node: Node | null, path: Path, depth: number): Tree | undefined {
    if (node === null) return leaf(null, {});
    const origin = this.#origin(node);
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES || depth > MAX_DEPTH) {
      // Told once: whatever follows would only repeat it.
      if (this.#nodes !== Number.POSITIVE_INFINITY) {
        this.#problems.error([], TOO_MUCH, origin);
      }
      this.#nodes = Number.POSITIVE_INFINITY;
      return undefined;
    }
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target) return this.tree(target, path, depth + 1);
      this.#problems.error(path, SYNTAX.BAD_ALIAS!, origin);
      return undefined;
    }
    if (node.anchor) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#section(node.items as Pair<Node, Node | null>[], path, depth, origin);
    if (isSeq(node)) {
      const items = node.items.map((item, at) => this.tree(item as Node, [...path, at], depth + 1));
      return { kind: 'list', origin, items: items.filter(item => item !== undefined) };
    }
    return this.#leaf(node as Scalar, origin);
  }

  #leaf(node: Scalar, origin: Origin): Tree {
    const { value } = node;
    if (value === null || value === undefined) return leaf(null, origin);
    if (typeof value === 'string') return leaf(value, origin);
    if (typeof value === 'boolean' || typeof value === 'number') {
      return leaf(value, origin, node.source ?? String(value));
    }
    return leaf(String(value), origin);
  }

  #section(items: Pair<Node, Node | null>[], path: Path, depth: number, origin: Origin): Section {
    const section = emptySection(origin);
    const merged: Section[] = [];
    for (const pair of items) {
      if (!isScalar(pair.key)) {
        this.#problems.error(path, 'a key has to be a text', pair.key ? this.#origin(pair.key) : origin);
        continue;
      }
      const key =
        typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? String(pair.key.value));
      const { line } = this.#origin(pair.key);
      const tree = this.tree(pair.value, [...path, key], depth + 1);
      if (!tree) continue;
      if (key === '<<') {
        merged.push(...this.#mergeable(tree, path));
        continue;
      }
      const earlier = section.entries.get(key.toLowerCase());
      if (earlier) {
        const place = earlier.line === undefined ? '' : `, first on line ${earlier.line}`;
        this.#problems.error([...path, key], `this key is given twice${place}`, { line });
      }
      // What a key has below it, or lacks, is told at the line of the key.
      if (line !== undefined && (tree.kind !== 'leaf' || tree.value === null)) tree.origin = { line };
      section.entries.set(key.toLowerCase(), { key, ...(line !== undefined && { line }), tree });
    }
    for (const other of merged) {
      for (const [key, entry] of other.entries) {
        if (!section.entries.has(key)) section.entries.set(key, entry);
      }
    }
    return section;
  }

  #mergeable(tree: Tree, path: Path): Section[] {
    const trees = tree.kind === 'list' ? tree.items : [tree];
    const sections = trees.filter(inner => inner.kind === 'map');
    if (sections.length < trees.length) {
      this.#problems.error(
        [...path, '<<'],
        `\`<<\` merges maps, at ${pathText(path) || 'the top'} it is something else`,
        tree.origin,
      );
    }
    return sections;
  }
}
