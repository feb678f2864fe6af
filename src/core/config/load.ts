/** Reads the configuration: one file, the environment over it, everything checked before anything is used. */
import type { OutputDefinition } from '../contract.ts';
import { createRedactor } from '../redact.ts';
import { parseTemplate, TemplateError } from '../template/index.ts';
import { readDocument } from './document.ts';
import { unfold } from './dotted.ts';
import { Overlay } from './environment.ts';
import { isKnownPath } from './falcosidekick-keys.ts';
import type { OutputsContext, ReadInstance } from './instance.ts';
import { readOutput } from './outputs.ts';
import { Problems } from './problems.ts';
import { readKeys } from './reader.ts';
import { resolveReferences } from './references.ts';
import { settingsShape } from './schema.ts';
import { reportUnknownSections } from './sections.ts';
import { type Settings, toSettings } from './settings.ts';
import { type Environment, type ReadFile, Sources } from './sources.ts';
import { emptySection, find, locate, type Section } from './tree.ts';
import type { Config } from './types.ts';

export interface LoadOptions {
  /** Path of the configuration file; absent: the environment alone. */
  file?: string;
  /** The file's text, when it has been read already. */
  text?: string;
  env: Environment;
  definitions: readonly OutputDefinition[];
  readFile: ReadFile;
  /** Unknown keys and priorities are errors, not warnings (`tiercel validate`). */
  strict?: boolean;
}

/**
 * The whole configuration.
 * @throws ConfigError with every problem at once; nothing else is thrown
 */
export function loadConfig(options: LoadOptions): Config {
  const { definitions } = options;
  const problems = new Problems(options.strict ?? false);
  const sources = new Sources(options.env, options.readFile);
  const secrets = new Set<string>();

  const root = readRoot(options, sources, problems);
  unfold(root, definitions, problems);
  resolveReferences(root, sources, problems, options.file);
  reportUnknownSections(root, definitions, problems);

  const global: Section = {
    ...root,
    entries: new Map([...root.entries].filter(([key]) => Object.hasOwn(settingsShape, key))),
  };
  new Overlay(sources, problems).apply(settingsShape, global, [], []);
  const reading = readKeys(settingsShape, global, [], {
    problems,
    secrets,
    ineffective: path => isKnownPath(path.join('.')),
  });
  const settings = reading.values as unknown as Settings;
  checkTemplates(settings.templatedfields, global, problems);
  const parts = toSettings(settings, global, sources, problems);

  const delivery = find(global, ['delivery']);
  const context: OutputsContext = {
    sources,
    problems,
    secrets,
    globals: settings,
    delivery: delivery?.kind === 'map' ? delivery : emptySection(),
  };
  const found = definitions.flatMap(definition => readOutput(definition, root, context));
  if (parts.spool.driver !== 'jetstream') tellUnshared(settings, found, problems);

  const redact = createRedactor(secrets);
  const masked = { ...reading.masked };
  for (const { instance, masked: section } of found) {
    if (section) place(masked, instance.definition.name, section);
  }
  return {
    ...parts,
    outputs: found.map(({ instance }) => instance),
    warnings: problems.settle(redact, sources.files),
    masked: redactAll(masked, redact) as Record<string, unknown>,
    secrets: [...secrets],
    files: [...sources.files],
  };
}

function readRoot({ file, text }: LoadOptions, sources: Sources, problems: Problems): Section {
  if (file !== undefined) sources.files.add(file);
  const content = text ?? (file === undefined ? '' : sources.read(file, [], {}, problems));
  return content === undefined ? emptySection() : readDocument(content, problems);
}

function checkTemplates(fields: Record<string, string>, global: Section, problems: Problems): void {
  for (const [name, text] of Object.entries(fields)) {
    try {
      parseTemplate(text);
    } catch (error) {
      const origin = locate(global, `templatedfields.${name}`);
      const why = error instanceof TemplateError ? error.reason : 'it cannot be read';
      problems.error(['templatedfields', name], `not a template: ${why}`, origin);
    }
  }
}

/** A limit that is to hold for all replicas, and holds for each by itself. */
function tellUnshared({ delivery }: Settings, found: readonly ReadInstance[], problems: Problems): void {
  const limited = found
    .map(({ instance }) => instance)
    .filter(({ delivery: { rateLimit } }) => rateLimit.shared && rateLimit.perSecond > 0);
  const isGlobal = delivery.ratelimit.shared && limited.length > 0;
  for (const section of isGlobal ? [[]] : limited.map(({ id }) => [id])) {
    problems.warning(
      [...section, 'delivery', 'ratelimit', 'shared'],
      'has no effect without `spool.driver: jetstream`: each replica keeps the limit by itself',
    );
  }
}

/** Puts an output's section where the file has it: a map for one, a list for several. */
function place(masked: Record<string, unknown>, name: string, section: Record<string, unknown>): void {
  const path = name.split('.');
  const last = path.pop()!;
  let at = masked;
  for (const key of path) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  const there = at[last];
  at[last] = there === undefined ? section : [...(Array.isArray(there) ? there : [there]), section];
}

function redactAll(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map(item => redactAll(item, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactAll(item, redact)]));
}
