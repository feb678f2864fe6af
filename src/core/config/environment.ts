/**
 * Lays the environment over the settings of the file. A key's variable is its path in upper case with `_` for `.`
 * (`slack.webhookurl` → SLACK_WEBHOOKURL); the same with `_FILE` names a file that holds the value. Only the names of
 * known keys are looked up, so variables such as SLACK or SLACK_PORT, which an orchestrator sets by itself, are harmless.
 */
import type { z } from 'zod';
import { type KeyMeta, keyMeta, parseFlag } from '../keys.ts';
import { parsePairs } from '../units.ts';
import { readValue } from './document.ts';
import { Problems } from './problems.ts';
import type { Sources } from './sources.ts';
import { emptySection, type Leaf, leaf, type Path, type Section, type Tree } from './tree.ts';

/** Empty, these empty what the file says; any other variable that is empty counts as not set. As in falcosidekick. */
const EMPTYING: ReadonlySet<string> = new Set(['CUSTOMTAGS', 'TLSSERVER_NOTLSPATHS']);

/** `aws.sqs` → `AWS_SQS`, `my-team` → `MY_TEAM`. */
export function variableName(...parts: string[]): string {
  return parts.map(part => part.toUpperCase().replace(/[^A-Z0-9]/g, '_')).join('_');
}

export class Overlay {
  readonly #sources: Sources;
  readonly #problems: Problems;

  constructor(sources: Sources, problems: Problems) {
    this.#sources = sources;
    this.#problems = problems;
  }

  /** Sets in `section` what the environment says of the keys in `shape`. */
  apply(shape: z.ZodRawShape, section: Section, path: Path, prefix: readonly string[]): void {
    for (const [key, schema] of Object.entries(shape)) {
      const meta = keyMeta(schema as z.ZodType);
      if (!meta) continue;
      const inner = [...path, key];
      const name = variableName(...prefix, key);
      const present = section.entries.get(key)?.tree;
      if (meta.shape) {
        const target = present?.kind === 'map' ? present : emptySection();
        this.apply(meta.shape, target, inner, [...prefix, key]);
        if (target !== present && target.entries.size > 0) section.entries.set(key, { key, tree: target });
        continue;
      }
      let tree = this.#read(name, meta, inner);
      if (meta.form === 'pairs') tree = this.#pairs(name, tree, present, inner, meta.bareNames);
      if (tree) section.entries.set(key, { key, tree });
    }
  }

  #read(name: string, meta: KeyMeta, path: Path): Tree | undefined {
    const text = this.#text(name, path);
    if (!text) return undefined;
    const value = text.source;
    if (meta.form === 'number' && /^(tcp|udp|sctp):\/\//.test(value)) {
      this.#problems.warning(path, `${name} looks like a container service variable and is ignored`);
      return undefined;
    }
    // DEBUG is also set for other programs, to whatever they take.
    if (name === 'DEBUG' && parseFlag(value) === undefined) {
      this.#problems.warning(path, 'DEBUG is neither true nor false and is ignored');
      return undefined;
    }
    if (meta.form === 'nested') return this.#structure(value, text.origin.env!, path);
    // falcosidekick removes every space here, and only here.
    if (name === 'CUSTOMTAGS')
      return { ...text, value: value.replaceAll(' ', ''), source: value.replaceAll(' ', '') };
    return text;
  }

  /** The text of NAME or of the file in NAME_FILE. */
  #text(name: string, path: Path): Leaf | undefined {
    const { env } = this.#sources;
    const value = env[name];
    const file = env[`${name}_FILE`];
    if (value && file) {
      this.#problems.error(path, `${name} and ${name}_FILE are both set; leave one of them`);
    }
    if (value || (value === '' && EMPTYING.has(name) && !file)) return leaf(value, { env: name });
    if (!file) return undefined;
    const origin = { env: `${name}_FILE` };
    const secret = this.#sources.readSecret(file, path, origin, this.#problems);
    return secret === undefined ? undefined : { ...leaf(secret, origin), hidden: [secret] };
  }

  /** A value that is no text: written as YAML or JSON. */
  #structure(value: string, env: string, path: Path): Tree | undefined {
    const found = new Problems(false);
    const tree = readValue(value, found, path);
    for (const problem of found.all) this.#problems.error(path, problem.message, { env });
    return tree && withOrigin(tree, env);
  }

  /** A map from NAME, or else that of the file; NAME_KEY sets one entry. */
  #pairs(
    name: string,
    whole: Tree | undefined,
    present: Tree | undefined,
    path: Path,
    bareNames: boolean | undefined,
  ): Tree | undefined {
    const base = asSection(whole ?? present, bareNames);
    const entries = this.#entryNames(name, base);
    if (entries.length === 0 && whole === undefined) return undefined;
    if (!base) return whole;
    if (name === 'CUSTOMFIELDS') this.#expand(base, path);
    const section: Section = { ...base, entries: new Map(base.entries) };
    for (const [variable, key] of entries) {
      const tree = this.#text(variable, [...path, key]);
      if (tree) section.entries.set(key, { key, tree });
    }
    return section;
  }

  /** The variables that set one entry of a map, with the entry's key. */
  #entryNames(name: string, base: Section | undefined): [string, string][] {
    const known = new Map([...(base?.entries.keys() ?? [])].map(key => [variableName(key), key]));
    const found: [string, string][] = [];
    for (const variable of Object.keys(this.#sources.env)) {
      if (!variable.startsWith(`${name}_`) || variable === `${name}_FILE`) continue;
      const rest = variable.slice(name.length + 1);
      const plain = known.has(rest) ? rest : rest.replace(/_FILE$/, '');
      if (plain !== '') found.push([`${name}_${plain}`, known.get(plain) ?? plain.toLowerCase()]);
    }
    return found;
  }

  /** `%NAME` in the variable CUSTOMFIELDS stands for the variable NAME; without it the field is left out. */
  #expand(section: Section, path: Path): void {
    for (const [key, { tree }] of [...section.entries]) {
      if (tree.kind !== 'leaf' || !tree.origin.env || !tree.source.startsWith('%')) continue;
      const value = this.#sources.env[tree.source.slice(1)];
      if (value) {
        section.entries.set(key, { key, tree: leaf(value, tree.origin) });
      } else {
        section.entries.delete(key);
        this.#problems.warning(
          [...path, key],
          'the environment variable after % is not set; the field is left out',
          tree.origin,
        );
      }
    }
  }
}

/** A map as it is, or made from `name:value` text; undefined when the text is no such thing. */
function asSection(tree: Tree | undefined, bareNames: boolean | undefined): Section | undefined {
  if (tree === undefined) return emptySection();
  if (tree.kind === 'map') return tree;
  const found = tree.kind === 'leaf' ? parsePairs(tree.source, bareNames) : undefined;
  if (!found || tree.kind !== 'leaf') return undefined;
  const { origin, hidden } = tree;
  const entry = (key: string, value: string) => ({
    key,
    tree: { ...leaf(value, origin), ...(hidden && { hidden: [value] }) },
  });
  return {
    kind: 'map',
    origin,
    entries: new Map(Object.entries(found).map(([key, value]) => [key, entry(key, value)])),
  };
}

function withOrigin(tree: Tree, env: string): Tree {
  const origin = { env };
  if (tree.kind === 'leaf') return { ...tree, origin };
  if (tree.kind === 'list') return { ...tree, origin, items: tree.items.map(item => withOrigin(item, env)) };
  const entries = [...tree.entries].map(
    ([key, entry]) => [key, { key: entry.key, tree: withOrigin(entry.tree, env) }] as const,
  );
  return { kind: 'map', origin, entries: new Map(entries) };
}
