/** From one section of an output to what the daemon opens. */
import { createHash } from 'node:crypto';
import type { Priority } from '../alert/priority.ts';
import type { OutputDefinition } from '../contract.ts';
import { type TemplateConfig, templateBodyOf, templateProblems } from '../output-template.ts';
import { parseMatch } from '../route.ts';
import {
  type ClientTlsKeys,
  type CommonKeys,
  type OwnTlsKeys,
  toConnection,
  toDelivery,
} from './connection.ts';
import { Overlay } from './environment.ts';
import { isKnownPath } from './falcosidekick-keys.ts';
import { stateOf } from './output-state.ts';
import type { Problems } from './problems.ts';
import { type ReadContext, type Reading, readKeys } from './reader.ts';
import { commonKeys, nameKey, ownKeys } from './schema.ts';
import type { Sources } from './sources.ts';
import { emptySection, find, isUnset, leaf, locate, type Path, type Section } from './tree.ts';
import type { OutputInstance } from './types.ts';

export interface OutputsContext {
  sources: Sources;
  problems: Problems;
  secrets: Set<string>;
  globals: ClientTlsKeys;
  /** The global `delivery`. */
  delivery: Section;
}

/** An instance that is turned on. */
export interface ReadInstance {
  instance: OutputInstance;
  /** Its section with secrets masked; only with the first of those that share a section. */
  masked?: Record<string, unknown>;
}

/** Where an instance stands. */
export interface Place {
  path: Path;
  name: string | undefined;
  /** Beginnings of its environment variables; later ones win. */
  prefixes: readonly string[];
  listed: boolean;
  /** What the section above gives where this one says nothing. */
  above: Section;
}

/** Reads one section; usually one instance, several where the output splits, none where it is off or wrong. */
export function readInstance(
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
  const above = definition.name.split('.').slice(0, -1);
  const inherited = new Set<string>();
  for (const [key, entry] of place.above.entries) {
    if (!isUnset(find(parts.own, [key]))) continue;
    parts.own.entries.set(key, entry);
    inherited.add(key);
  }
  if (own.tls && isUnset(find(parts.own, ['tls'])) && !isUnset(find(parts.shared, ['tls']))) {
    parts.own.entries.set('tls', { key: 'tls', tree: leaf(true, find(parts.shared, ['tls'])!.origin) });
  }

  const reader: ReadContext = { problems, secrets };
  const config = readKeys(own, parts.own, path, {
    ...reader,
    foundAt: key => (inherited.has(key) ? [...above, key] : undefined),
  });
  const ineffective = (at: Path) => isKnownPath([definition.name, ...at.slice(path.length)].join('.'));
  const common = readKeys(shared, parts.shared, path, { ...reader, ineffective, known: Object.keys(own) });
  const broken =
    Object.keys({ ...own, ...shared }).some(key => problems.isRefused([...path, key])) ||
    (definition.inherits ?? []).some(key => problems.isRefused([...above, key]));

  const state = broken
    ? 'bad'
    : stateOf(definition, config.values, { section: parts.own, path, listed: place.listed }, problems);
  if (state === 'off') return [];

  const at = { section: parts.shared, path, problems };
  const connection = toConnection(common.values as CommonKeys, context.globals, {
    ...at,
    sources,
    own: { values: config.values as OwnTlsKeys, section: parts.own },
    // What is bad may lack the keys that decide.
    ownHeaders: (state !== 'bad' && definition.ownHeaders?.(config.values)) || [],
  });
  const template = readTemplate(common, parts.shared, path, problems);
  const body = state === 'bad' ? 'request' : templateBodyOf(definition, config.values);
  if (template?.body && typeof body === 'object') {
    problems.error([...path, 'template', 'body'], body.refused, locate(parts.shared, 'template.body'));
  }
  const { delivery, masked: maskedDelivery } = toDelivery(definition, common.values as CommonKeys, {
    ...at,
    global: context.delivery,
    batch: state === 'bad' ? 'unknown' : (definition.batchBy?.(config.values) ?? definition.batch),
    alone: body === 'request' && Boolean(template?.body),
  });
  // falcosidekick's metric labels of nested sections have no dot: `awss3`.
  const label = definition.name.replaceAll('.', '');
  const settled = {
    id: place.name === undefined ? label : `${label}.${place.name}`,
    config: config.values,
    minimumPriority: common.values.minimumpriority as Priority | '',
    match: readMatch(common, parts.shared, path, problems),
    delivery,
    connection,
    ...(template && { template }),
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
  const sides = definition.split?.(config.values) ?? new Map([['', config.values]]);
  return [...sides].map(([ending, values], index) => {
    const one = { ...settled, id: ending === '' ? settled.id : `${settled.id}.${ending}`, config: values };
    return {
      instance: { definition, ...one, fingerprint: fingerprint(one, sources) },
      ...(index === 0 && { masked }),
    };
  });
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

function readMatch(common: Reading, section: Section, path: Path, problems: Problems) {
  const { matches, problems: found } = parseMatch(common.values.match);
  for (const { path: inner, message, hint } of found) {
    problems.error([...path, inner], message, locate(section, inner), hint);
  }
  return matches;
}

function readTemplate(
  common: Reading,
  section: Section,
  path: Path,
  problems: Problems,
): TemplateConfig | undefined {
  const template = common.values.template as TemplateConfig | undefined;
  if (!template || Object.values(template).every(text => text === '')) return undefined;
  for (const { path: key, message } of templateProblems(template)) {
    problems.error([...path, 'template', key], message, locate(section, `template.${key}`));
  }
  return template;
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
