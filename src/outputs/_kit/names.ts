/** Names that a target takes, made from those of output fields. Pure. */
import { byCodeUnit } from './text.ts';

/**
 * Legal names for fields, no two alike: a field whose own name is legal keeps it, others that come to the same name
 * get `_2`, `_3` and so on, in the order of their own names. The same fields always get the same names.
 * @param toLegal makes one name legal; a legal name with `_2` behind it has to be legal too
 * @param taken names that no field may have
 */
export function legalNames(
  fields: readonly string[],
  toLegal: (field: string) => string,
  taken: Iterable<string> = [],
): Map<string, string> {
  const used = new Set(taken);
  const names = new Map<string, string>();
  const give = (field: string, name: string) => {
    used.add(name);
    names.set(field, name);
  };
  const sorted = [...fields].sort(byCodeUnit);
  for (const field of sorted) if (toLegal(field) === field && !used.has(field)) give(field, field);
  for (const field of sorted) {
    if (names.has(field)) continue;
    const legal = toLegal(field);
    let name = legal;
    for (let count = 2; used.has(name); count++) name = `${legal}_${count}`;
    give(field, name);
  }
  return names;
}

/** Sets of fields that are remembered: about as many as there are rules. */
const MAX_REMEMBERED = 500;

/** `legalNames` for many alerts: those of one rule have the same fields, and so the same names. */
export function createNamer(
  toLegal: (field: string) => string,
  taken: readonly string[],
): (fields: readonly string[]) => ReadonlyMap<string, string> {
  const remembered = new Map<string, ReadonlyMap<string, string>>();
  return fields => {
    const key = JSON.stringify(fields);
    const known = remembered.get(key);
    if (known) return known;
    const names = legalNames(fields, toLegal, taken);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(key, names);
    return names;
  };
}

/**
 * A label name for Prometheus and its kin (`[a-zA-Z_][a-zA-Z0-9_]*`), made as falcosidekick makes it:
 * `proc.aname[2]` → `proc_aname_2`.
 */
export function toLabelName(field: string): string {
  const plain = field.replace(/[^A-Za-z0-9_]/g, '_').replaceAll('__', '_');
  let start = 0;
  let end = plain.length;
  while (plain[start] === '_') start++;
  while (end > start && plain[end - 1] === '_') end--;
  const name = plain.slice(start, end);
  if (name === '') return 'field';
  return /^\d/.test(name) ? `_${name}` : name;
}
