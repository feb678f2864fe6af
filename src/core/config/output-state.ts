/** Whether an output is on, off by what its section lacks, or set up wrongly. */
import type { z } from 'zod';
import type { OutputDefinition } from '../contract.ts';
import { keyMeta } from '../keys.ts';
import type { Problems } from './problems.ts';
import { ownKeys } from './schema.ts';
import { locate, type Path, type Section } from './tree.ts';

/** Whether the output is on and well. One that was given settings and is off is told of. */
export function stateOf(
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
  // What all outputs of a cloud share says nothing of this one.
  const { inherits = [] } = definition;
  const particular = (key: string) => !inherits.includes(key);
  const given = Object.keys(config).filter(particular);
  if (!listed && !given.some(key => isGiven(schemaOf(key), config[key]))) return 'off';
  const missing = Object.keys(definition.example)
    .filter(particular)
    .filter(key => isDefault(schemaOf(key), config[key]));
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
