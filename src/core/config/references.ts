/** Puts values in place of `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` in the texts of the file. */
import { dirname, resolve } from 'node:path';
import type { Problems } from './problems.ts';
import type { Sources } from './sources.ts';
import { eachLeaf, type Leaf, type Path, type Section } from './tree.ts';

const REFERENCE = /\$(\$?)\{(env|file):([^}]*)\}/g;

/**
 * Edits the tree in place. `$${env:NAME}` stands for the text `${env:NAME}` itself. Relative files are looked for
 * beside the configuration file.
 */
export function resolveReferences(
  root: Section,
  sources: Sources,
  problems: Problems,
  file: string | undefined,
): void {
  const folder = file === undefined ? '.' : dirname(file);
  eachLeaf(root, (leaf, path) => {
    if (typeof leaf.value !== 'string' || !leaf.value.includes('${')) return;
    const hidden: string[] = [];
    const text = leaf.value.replace(REFERENCE, (whole, escaped: string, kind: string, rest: string) => {
      if (escaped) return whole.slice(1);
      if (kind === 'file') {
        const secret = sources.readSecret(resolve(folder, rest.trim()), path, leaf.origin, problems) ?? '';
        hidden.push(secret);
        return secret;
      }
      return variable(rest, leaf, path, hidden);
    });
    leaf.value = text;
    leaf.source = text;
    if (hidden.length > 0) leaf.hidden = hidden.filter(Boolean);
  });

  function variable(reference: string, leaf: Leaf, path: Path, hidden: string[]): string {
    const [, name, fallback] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?::-(.*))?$/s.exec(reference) ?? [];
    if (name === undefined) {
      problems.error(path, 'expected env:NAME or env:NAME:-default in the braces', leaf.origin);
      return '';
    }
    const value = sources.env[name];
    if (value) {
      hidden.push(value);
      return value;
    }
    if (fallback !== undefined) return fallback;
    if (value === undefined) {
      problems.error(path, `the environment variable ${name} is not set`, leaf.origin);
    } else if (String(path[0]).toLowerCase() === 'auth') {
      // Nothing would be asked of a sender any more.
      problems.error(path, `the environment variable ${name} is empty`, leaf.origin);
    }
    return '';
  }
}
