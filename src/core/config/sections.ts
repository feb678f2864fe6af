/** Looks over the names at the top of the file for unknown ones. */
import type { OutputDefinition } from '../contract.ts';
import { isKnownLeaf, isKnownPath, KNOWN_OUTPUTS } from './falcosidekick-keys.ts';
import { nearest } from './nearest.ts';
import type { Problems } from './problems.ts';
import { settingsShape } from './schema.ts';
import { isEmpty, kindOf, type Section, type Tree } from './tree.ts';

/** Tells of unknown keys outside of the sections of the outputs that there are. */
export function reportUnknownSections(
  root: Section,
  definitions: readonly OutputDefinition[],
  problems: Problems,
): void {
  const outputs = definitions.map(definition => definition.name);
  const names = [
    ...Object.keys(settingsShape),
    ...outputs,
    ...KNOWN_OUTPUTS.flatMap(({ section, keys }) => keys.map(key => `${section}.${key}`)),
  ];
  /** The keys that there are below a path. */
  const siblings = (prefix: string) =>
    new Set(
      names.filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length).split('.')[0]!),
    );
  /** Keys beside outputs which those below take from there. */
  const inherited = new Set(
    definitions.flatMap(({ name, inherits = [] }) =>
      inherits.map(key => `${name.slice(0, name.lastIndexOf('.') + 1)}${key}`),
    ),
  );
  visit(root, '');

  /** A value where there are only sections, or one that nothing here reads. */
  function reportMisplaced(tree: Tree, path: string, at: readonly string[]): void {
    if (outputs.some(name => name.startsWith(`${path}.`))) {
      problems.error(at, `expected a map of settings, found ${kindOf(tree)}`, tree.origin);
    } else {
      problems.warning(at, 'this key of falcosidekick has no effect here', tree.origin);
    }
  }

  function visit(section: Section, prefix: string): void {
    for (const [key, { tree, line, key: written }] of section.entries) {
      const path = `${prefix}${key}`;
      if (Object.hasOwn(settingsShape, path) || outputs.includes(path) || isKnownLeaf(path)) continue;
      const above = outputs.some(name => name.startsWith(`${path}.`)) || isKnownPath(path);
      const at = [...prefix.split('.').filter(Boolean), written];
      if (above && tree.kind === 'map') visit(tree, `${path}.`);
      else if (above && !isEmpty(tree) && !inherited.has(path)) reportMisplaced(tree, path, at);
      if (above) continue;
      const word = problems.many ? undefined : (nearest(key, siblings(prefix)) ?? elsewhere(key));
      problems.doubt(
        at,
        'unknown key; it is ignored',
        line === undefined ? tree.origin : { line },
        word && `did you mean ${word}?`,
      );
    }
  }
}

/** A key that stands at the top by mistake: `timeout` → `delivery.timeout`, when only one place has it. */
function elsewhere(key: string): string | undefined {
  const groups = Object.entries(settingsShape).filter(([, schema]) => {
    const shape = schema.meta()?.shape;
    return typeof shape === 'object' && shape !== null && Object.hasOwn(shape, key);
  });
  return groups.length === 1 ? `${groups[0]![0]}.${key}` : undefined;
}
