/** From a configuration file of falcosidekick to one of Tiercel that does the same. Pure but for files that it names. */
import { readFileSync } from 'node:fs';
import {
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  Pair,
  parseDocument,
  Scalar,
  visit,
  YAMLMap,
} from 'yaml';
import { type LoadOptions, loadConfig } from '../core/config/load.ts';
import { commonKeys } from '../core/config/schema.ts';
import type { OutputDefinition } from '../core/contract.ts';
import { ConfigError, type ConfigProblem } from '../core/errors.ts';

/** What came out. */
export interface Migration {
  /** The new file. */
  text: string;
  /** `path: sentence` for all that is not simply taken over. */
  remarks: string[];
  /** Whether the new file can be used as it is. */
  valid: boolean;
}

const HEAD = ` Made from a configuration of falcosidekick by \`tiercel config migrate\`.
 Environment variables keep their names and still win over this file.
 Alerts over 4096 bytes are kept whole; \`longfields: cut\` cuts them as falcosidekick did.
 Failed deliveries are repeated for up to 24 h: see \`delivery\` in \`tiercel config example\`.`;

/** Keys that falcosidekick (2.34.1) takes and ignores, and that do here what they say. */
const NOW_EFFECTIVE: [keys: RegExp, remark: string][] = [
  [
    /^(nats|stan|cloudevents|pagerduty)\.(checkcert|mutualtls|maxconcurrentrequests)$/,
    'falcosidekick ignored this key, here it does what it says',
  ],
  [
    /^splunk\.(mutualtls|maxconcurrentrequests)$/,
    'falcosidekick ignored this key, here it does what it says',
  ],
  [
    /^aws\.(region|accesskeyid|secretaccesskey|rolearn|externalid)$/,
    'falcosidekick ignored this key (only the AWS_... variables counted), here it is used',
  ],
];

/** What a file may refer to, and who reads it. */
export interface MigrationOptions extends Pick<LoadOptions, 'env' | 'definitions'> {
  /** Path of the file; others that it names are looked for beside it. */
  file: string;
}

/** @throws ConfigError when the text is no YAML */
export function migrateConfig(text: string, options: MigrationOptions): Migration {
  const document = parseDocument(text.replace(/^\uFEFF/, ''), { uniqueKeys: false, logLevel: 'silent' });
  const found = problemsOf(text, options, true);
  const { contents } = document;
  const isEmpty = contents === null || (isScalar(contents) && contents.value === null);
  if (document.errors.length > 0 || !(isEmpty || isMap(contents))) throw new ConfigError(found);
  const work = new Rewrite(options.definitions, found, problemsOf(text, options, false));
  if (isMap(contents)) work.rewrite(contents, []);
  const { orphans } = work;
  visit(document, {
    Alias(_, { source }) {
      const orphan = orphans.get(source);
      // It brings its anchor along: what else refers to it finds it here.
      orphans.delete(source);
      return orphan;
    },
  });
  document.commentBefore = [HEAD, document.commentBefore].filter(Boolean).join('\n\n');
  const result = isEmpty
    ? document.commentBefore.replace(/^(?=.)/gm, '#').concat('\n')
    : document.toString({ lineWidth: 0 });
  const left = problemsOf(result, options, true).filter(({ severity }) => severity === 'error');
  return { text: result, remarks: work.remarks, valid: left.length === 0 };
}

function problemsOf(
  text: string,
  { env, ...options }: MigrationOptions,
  strict: boolean,
): readonly ConfigProblem[] {
  try {
    const readFile = (path: string) => readFileSync(path, 'utf8');
    // Not the whole environment: it wins over the file and would hide what is wrong there.
    const named = [...text.matchAll(/\$\{env:\s*(\w+)/g)].map(([, name]) => [name!, env[name!]]);
    return loadConfig({ ...options, text, env: Object.fromEntries(named), readFile, strict }).warnings;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

class Rewrite {
  readonly remarks: string[] = [];
  /** What was left out and may be referred to, by its anchor. */
  readonly orphans = new Map<string, Node>();
  readonly #problems = new Map<string, ConfigProblem[]>();
  /** Paths of what strict reading refuses and the daemon only ignores. */
  readonly #ignored: ReadonlySet<string>;
  /** Outputs that know maxconcurrentrequests. */
  readonly #limited: ReadonlySet<string>;

  constructor(
    definitions: readonly OutputDefinition[],
    strict: readonly ConfigProblem[],
    lax: readonly ConfigProblem[],
  ) {
    for (const problem of strict) {
      const path = problem.path.toLowerCase();
      this.#problems.set(path, [...(this.#problems.get(path) ?? []), problem]);
    }
    const fatal = new Set(
      lax.filter(({ severity }) => severity === 'error').map(({ path }) => path.toLowerCase()),
    );
    this.#ignored = new Set(
      strict
        .filter(({ severity, path }) => severity === 'error' && !fatal.has(path.toLowerCase()))
        .map(({ path }) => path.toLowerCase()),
    );
    this.#limited = new Set(
      definitions.filter(output => 'maxconcurrentrequests' in commonKeys(output)).map(({ name }) => name),
    );
  }

  /** Rewrites a map and what is in it, in place. */
  rewrite(map: YAMLMap, path: readonly string[]): void {
    const kept: Pair[] = [];
    // Comments and remarks of keys that are left out go before the next one.
    let carried: string[] = [];
    for (const pair of map.items as Pair[]) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const at = [...path, key.toLowerCase()];
      const where = pathOf(at);
      const sentences = (this.#problems.get(where) ?? []).map(sayProblem);
      const effect = NOW_EFFECTIVE.find(([keys]) => keys.test(where.replace(/\[\d+\]/g, '')))?.[1];
      if (effect && sentences.length === 0) sentences.push(effect);
      for (const sentence of sentences) this.remarks.push(`${where}: ${sentence}`);
      if (this.#ignored.has(where)) {
        carried.push(...commentsOf(pair), ...sentences.map(sentence => ` ${key} left out: ${sentence}`));
        visit(pair.value as Node | null, {
          Node: (_, node) => {
            if ('anchor' in node && node.anchor) this.orphans.set(node.anchor, node);
          },
        });
        continue;
      }
      this.#renamed(pair, at, map);
      comment(pair, carried, sentences);
      carried = [];
      kept.push(pair);
      if (isMap(pair.value)) this.rewrite(pair.value, at);
      if (isSeq(pair.value)) {
        for (const [index, item] of pair.value.items.entries()) {
          if (isMap(item)) this.rewrite(item, [...at.slice(0, -1), `${at.at(-1)}[${index}]`]);
        }
      }
    }
    map.items = kept;
    if (carried.length > 0) map.comment = joined([map.comment, ...carried]);
  }

  /** falcosidekick's names for what has one of its own here. */
  #renamed(pair: Pair, path: readonly string[], map: YAMLMap): void {
    const [section, key] = [pathOf(path.slice(0, -1)), path.at(-1)];
    const value: unknown = isScalar(pair.value) ? pair.value.value : undefined;
    // A file that is half Tiercel's already: a second map of that name would be refused.
    const has = (group: string) => map.items.some(item => String(item.key).toLowerCase() === group);
    if (section === '' && key === 'debug' && typeof value === 'boolean' && !has('log')) {
      this.#replace(pair, 'debug', 'log', 'level', value ? 'debug' : 'info');
    }
    const isLimit = key === 'maxconcurrentrequests' && this.#limited.has(section.replace(/\[\d+\]/g, ''));
    if (isLimit && Number.isInteger(value) && (value as number) >= 0 && !has('delivery')) {
      this.#replace(pair, pathOf(path), 'delivery', 'concurrency', value === 0 ? 256 : (value as number));
    }
  }

  #replace(pair: Pair, former: string, group: string, key: string, value: string | number): void {
    const map = new YAMLMap();
    const scalar = new Scalar(value);
    const { commentBefore, comment } = pair.value as Scalar;
    Object.assign(scalar, { commentBefore, comment });
    map.items.push(new Pair(new Scalar(key), scalar));
    const name = new Scalar(group);
    name.commentBefore = (pair.key as Scalar).commentBefore;
    pair.key = name;
    pair.value = map;
    this.remarks.push(`${former}: is called ${group}.${key} here; the former name still works`);
  }
}

function sayProblem({ severity, message, hint }: ConfigProblem): string {
  return `${severity === 'error' ? '' : 'note: '}${message}${hint ? ` (${hint})` : ''}`;
}

/** Puts what was carried before a key's own comment, and sentences behind that. */
function comment(pair: Pair, carried: readonly string[], sentences: readonly string[]): void {
  if (carried.length + sentences.length === 0) return;
  const key = pair.key as Scalar;
  key.commentBefore = joined([...carried, key.commentBefore, ...sentences.map(sentence => ` ${sentence}`)]);
}

function joined(comments: readonly (string | null | undefined)[]): string {
  return comments.filter(Boolean).join('\n');
}

/** All comments in a part of the file, in their order. */
function commentsOf(part: unknown): string[] {
  if (isPair(part)) return [...commentsOf(part.key), ...commentsOf(part.value)];
  if (!isNode(part)) return [];
  const inner = isCollection(part) ? part.items.flatMap(commentsOf) : [];
  return [part.commentBefore, ...inner, part.comment].filter(text => typeof text === 'string');
}

function pathOf(path: readonly string[]): string {
  return path.join('.');
}
