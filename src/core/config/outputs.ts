/** From the sections of the outputs to their instances. */
import type { OutputDefinition } from '../contract.ts';
import { describeKeys, flatKeys } from './catalog.ts';
import { Overlay, variableName } from './environment.ts';
import { type OutputsContext, type Place, type ReadInstance, readInstance } from './instance.ts';
import type { Problems } from './problems.ts';
import { commonKeys, nameKey, ownKeys } from './schema.ts';
import { emptySection, find, isUnset, kindOf, locate, type Path, type Section, type Tree } from './tree.ts';

/** All instances of one output that are turned on. */
export function readOutput(
  definition: OutputDefinition,
  root: Section,
  context: OutputsContext,
): ReadInstance[] {
  const path = definition.name.split('.');
  const tree = find(root, path);
  const above = fromAbove(definition, root, path.slice(0, -1), context);
  if (tree?.kind === 'list') return readList(definition, tree.items, { path, above }, context);
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
  return readInstance(definition, section, { path, name, prefixes, listed: false, above }, context);
}

/** What the section above says of the keys that the output takes from there, with the environment over it. */
function fromAbove(
  definition: OutputDefinition,
  root: Section,
  path: readonly string[],
  { sources, problems }: OutputsContext,
): Section {
  const { inherits = [] } = definition;
  const own = ownKeys(definition);
  const section = emptySection();
  const above = find(root, path);
  for (const key of inherits) {
    const entry = above?.kind === 'map' ? above.entries.get(key) : undefined;
    if (entry && !isUnset(entry.tree)) section.entries.set(key, entry);
  }
  const shape = Object.fromEntries(inherits.map(key => [key, own[key]!]));
  new Overlay(sources, problems).apply(shape, section, path, path);
  return section;
}

function readList(
  definition: OutputDefinition,
  items: readonly Tree[],
  { path, above }: Pick<Place, 'path' | 'above'>,
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
    return readInstance(definition, item, { path: inner, name, prefixes, listed: true, above }, context);
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
  for (const { path } of flatKeys(describeKeys({ ...ownKeys(definition), ...commonKeys(definition) }))) {
    const name = variableName(prefix, path);
    const variable = [name, `${name}_FILE`].find(one => sources.env[one]);
    if (variable === undefined) continue;
    const hint = `set ${variable.replace(prefix, variableName(prefix, example))}`;
    problems.warning(
      [definition.name, ...path.split('.')],
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
