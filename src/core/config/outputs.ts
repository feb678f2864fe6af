/** From the sections of the outputs to their instances. */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { OutputDefinition } from '../contract.ts';
import { keyMeta } from '../keys.ts';
import type { Priority } from '../priority.ts';
import { parseMatch } from '../route.ts';
import { type ClientTlsKeys, type CommonKeys, toConnection, toDelivery } from './connection.ts';
import { Overlay, variableName } from './environment.ts';
import { isKnownPath } from './falcosidekick-keys.ts';
import type { Problems } from './problems.ts';
import { type ReadContext, type Reading, readKeys } from './reader.ts';
import { commonKeys, nameKey, ownKeys } from './schema.ts';
import type { Sources } from './sources.ts';
import {
  emptySection,
  find,
  isUnset,
  kindOf,
  leaf,
  locate,
  type Path,
  type Section,
  type Tree,
} from './tree.ts';
import type { OutputInstance } from './types.ts';

export interface OutputsContext {
  sources: Sources;
  problems: Problems;
  secrets: Set<string>;
  globals: ClientTlsKeys;
  /** The global `delivery`. */
  delivery: Section;
}

/** An instance that is turned on, with its masked section. */
export interface ReadInstance {
  instance: OutputInstance;
  masked: Record<string, unknown>;
}

/** All instances of one output that are turned on. */
export function readOutput(
  definition: OutputDefinition,
  root: Section,
  context: OutputsContext,
): ReadInstance[] {
  const path = definition.name.split('.');
  const tree = find(root, path);
  if (tree?.kind === 'list') return readList(definition, tree.items, path, context);
  if (!isUnset(tree) && tree!.kind !== 'map') {
    context.problems.error(
      path,
      `expected a map of settings, or a list of them, found ${kindOf(tree!)}`,
      tree!.origin,
    );
    return [];
  }
  const section = tree?.kind === 'map' ? tree : emptySection();
  const name = takeName(definition, section, path, context.problems);
  const prefixes = [variableName(...path), ...(name === undefined ? [] : [variableName(...path, name)])];
  return readInstance(definition, section, { path, name, prefixes, listed: false }, context);
}

function readList(
  definition: OutputDefinition,
  items: readonly Tree[],
  path: Path,
  context: OutputsContext,
): ReadInstance[] {
  const { problems } = context;
  const prefix = variableName(definition.name);
  const taken = new Map<string, number>();
  const found = items.flatMap((item, at) => {
    const inner = [...path, at];
    if (item.kind !== 'map') {
      problems.error(inner, `expected a map of settings, found ${kindOf(item)}`, item.origin);
      return [];
    }
    const name = takeName(definition, item, inner, problems);
    if (name === undefined) {
      problems.error(
        inner,
        `each of several ${definition.name} outputs needs a \`${nameKey(definition)}\``,
        item.origin,
      );
      return [];
    }
    const earlier = taken.get(variableName(name));
    if (earlier !== undefined) {
      problems.error(
        [...inner, nameKey(definition)],
        `the name is already that of ${definition.name}[${earlier}]`,
        locate(item, nameKey(definition)),
      );
    }
    taken.set(variableName(name), at);
    const prefixes = [`${prefix}_${at}`, `${prefix}_${variableName(name)}`];
    return readInstance(definition, item, { path: inner, name, prefixes, listed: true }, context);
  });
  warnOfPlainVariables(definition, prefix, taken, context);
  return found;
}

/** `SLACK_WEBHOOKURL` does not say which one of several it is for. */
function warnOfPlainVariables(
  definition: OutputDefinition,
  prefix: string,
  names: ReadonlyMap<string, number>,
  { sources, problems }: OutputsContext,
): void {
  const [example = 'NAME'] = names.keys();
  for (const key of [...Object.keys(ownKeys(definition)), 'minimumpriority']) {
    const variable = variableName(prefix, key);
    if (!sources.env[variable]) continue;
    const hint = `set ${variableName(prefix, example, key)}`;
    problems.warning(
      [definition.name, key],
      `${variable} is ignored, because there are several ${definition.name} outputs`,
      {},
      hint,
    );
  }
}

/** The name of an instance; the key is taken out of the section unless it is the output's own. */
function takeName(
  definition: OutputDefinition,
  section: Section,
  path: Path,
  problems: Problems,
): string | undefined {
  const key = nameKey(definition);
  const tree = section.entries.get(key)?.tree;
  section.entries.delete(key);
  if (isUnset(tree)) return undefined;
  const name = tree!.kind === 'leaf' ? tree!.source : '';
  if (/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name)) return name;
  problems.error(
    [...path, key],
    'expected a name of letters, digits, - and _ that starts with a letter',
    tree!.origin,
  );
  return 'unnamed';
}

interface Place {
  path: Path;
  name: string | undefined;
  /** Beginnings of its environment variables; later ones win. */
  prefixes: readonly string[];
  listed: boolean;
}

function readInstance(
  definition: OutputDefinition,
  section: Section,
  place: Place,
  context: OutputsContext,
): ReadInstance[] {
  const { sources, problems, secrets } = context;
  const { path } = place;
  const own = ownKeys(definition);
  const shared = commonKeys(definition);
  const parts = separate(section, own);
  const overlay = new Overlay(sources, problems);
  for (const prefix of place.prefixes) {
    overlay.apply(own, parts.own, path, [prefix]);
    overlay.apply(shared, parts.shared, path, [prefix]);
  }
  if (own.tls && isUnset(find(parts.own, ['tls'])) && !isUnset(find(parts.shared, ['tls']))) {
    parts.own.entries.set('tls', { key: 'tls', tree: leaf(true, find(parts.shared, ['tls'])!.origin) });
  }

  const before = problems.all.length;
  const reader: ReadContext = { problems, secrets };
  const config = readKeys(own, parts.own, path, reader);
  const ineffective = (at: Path) => isKnownPath([definition.name, ...at.slice(path.length)].join('.'));
  const common = readKeys(shared, parts.shared, path, { ...reader, ineffective, known: Object.keys(own) });
  const broken = problems.all.slice(before).some(problem => problem.severity === 'error');

  const state = broken
    ? 'bad'
    : check(definition, config.values, { section: parts.own, path, listed: place.listed }, problems);
  if (state === 'off') return [];

  const at = { section: parts.shared, path, problems };
  const connection = toConnection(common.values as CommonKeys, context.globals, { ...at, sources });
  const { delivery, masked: maskedDelivery } = toDelivery(definition, common.values as CommonKeys, {
    ...at,
    global: context.delivery,
  });
  const settled = {
    id: place.name === undefined ? definition.name : `${definition.name}.${place.name}`,
    config: config.values,
    minimumPriority: common.values.minimumpriority as Priority | '',
    match: readMatch(common, parts.shared, path, problems),
    delivery,
    connection,
  };
  const masked = {
    ...(place.name !== undefined && { [nameKey(definition)]: place.name }),
    ...config.masked,
    ...common.masked,
    delivery: maskedDelivery,
    // Where the output has a flag of the same name, the details say more.
    ...(own.tls && isUnset(find(parts.shared, ['tls'])) && { tls: config.values.tls }),
  };
  if (state === 'bad') return [];
  return [{ instance: { definition, ...settled, fingerprint: fingerprint(settled, sources) }, masked }];
}

/** The output's own keys and the others. A map under `tls` is the common one, a flag the output's own if it has one. */
function separate(
  section: Section,
  own: Readonly<Record<string, unknown>>,
): { own: Section; shared: Section } {
  const parts = { own: emptySection(section.origin), shared: emptySection(section.origin) };
  for (const [key, entry] of section.entries) {
    const isOwn = Object.hasOwn(own, key) && !(key === 'tls' && entry.tree.kind === 'map');
    (isOwn ? parts.own : parts.shared).entries.set(key, entry);
  }
  return parts;
}

/** Whether the output is on and well. One that was given settings and is off is told of. */
function check(
  definition: OutputDefinition,
  config: Record<string, unknown>,
  place: { section: Section; path: Path; listed: boolean },
  problems: Problems,
): 'on' | 'off' | 'bad' {
  const { section, path, listed } = place;
  const schemaOf = (key: string) => ownKeys(definition)[key] as z.ZodType;
  if (definition.enabled(config)) {
    const found = definition.check?.(config) ?? [];
    for (const { path: inner, message, hint } of found) {
      problems.error([...path, inner], message, locate(section, inner), hint);
    }
    return found.length > 0 ? 'bad' : 'on';
  }
  if (!listed && !Object.keys(config).some(key => isGiven(schemaOf(key), config[key]))) return 'off';
  const missing = Object.keys(definition.example).filter(key => isDefault(schemaOf(key), config[key]));
  const what = missing.length > 0 ? `: ${missing.join(' and ')} not set` : '';
  problems.warning(path, `the output is off${what}`, section.origin);
  for (const { path: inner, message, hint } of definition.check?.(config) ?? []) {
    if (!missing.includes(inner.split(/[.[]/)[0]!))
      problems.warning([...path, inner], message, locate(section, inner), hint);
  }
  return 'off';
}

function isDefault(schema: z.ZodType, value: unknown): boolean {
  return JSON.stringify(schema.safeParse(undefined).data) === JSON.stringify(value);
}

/** Whether somebody wrote this value with a purpose: files hold many defaults, also those of falcosidekick. */
function isGiven(schema: z.ZodType, value: unknown): boolean {
  const form = keyMeta(schema)?.form;
  if (form !== 'text' && form !== 'list' && form !== 'pairs') return false;
  const empty = typeof value === 'string' ? value === '' : Object.keys(value as object).length === 0;
  return !empty && !isDefault(schema, value);
}

function readMatch(common: Reading, section: Section, path: Path, problems: Problems) {
  const { matches, problems: found } = parseMatch(common.values.match);
  for (const { path: inner, message, hint } of found) {
    problems.error([...path, inner], message, locate(section, inner), hint);
  }
  return matches;
}

/** The same for the same settings and the same contents of the files that they name. */
function fingerprint(settled: Omit<OutputInstance, 'definition' | 'fingerprint'>, sources: Sources): string {
  const { caFiles, certFile, keyFile } = settled.connection;
  const files = [...caFiles, certFile, keyFile]
    .filter(Boolean)
    .map(file => sources.readIfThere(file) ?? null);
  return createHash('sha256')
    .update(JSON.stringify([settled, files]))
    .digest('base64url');
}
