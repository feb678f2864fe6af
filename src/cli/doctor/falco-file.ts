/** Falco's own configuration as Falco puts it together: falco.yaml and the files that it names. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { fileTrouble } from '../../core/file-trouble.ts';

/** A file's keys. */
export type FalcoSettings = Record<string, unknown>;

/** What Falco would read. */
export interface FalcoFile {
  settings: FalcoSettings;
  /** Every file that was read, in order. */
  files: string[];
  /** Files that could not be read, each with a sentence. */
  problems: string[];
}

// A configuration is some kilobytes; more is no configuration.
const MAX_BYTES = 4 * 2 ** 20;

/**
 * Reads falco.yaml and what its `config_files` add. As in Falco (0.41 and later) keys are merged at the top level
 * only: an `http_output` in a later file replaces the whole map, it does not add to it.
 * @throws Error with a sentence when falco.yaml itself cannot be read
 */
export function readFalco(file: string): FalcoFile {
  const settings = readYaml(file);
  const found: FalcoFile = { settings, files: [file], problems: [] };
  for (const entry of listOf(settings.config_files)) {
    const path = typeof entry === 'string' ? entry : textOf(entry, 'path');
    if (!path) continue;
    for (const included of filesAt(path)) include(found, included, textOf(entry, 'strategy') ?? 'append');
  }
  return found;
}

function include(found: FalcoFile, file: string, strategy: string): void {
  try {
    const added = readYaml(file);
    found.files.push(file);
    found.settings = merge(found.settings, added, strategy);
  } catch (error) {
    found.problems.push((error as Error).message);
  }
}

/** Falco's three ways to merge: `append` joins lists and replaces the rest, `override` replaces, `add-only` adds. */
export function merge(base: FalcoSettings, added: FalcoSettings, strategy: string): FalcoSettings {
  const merged = { ...base };
  for (const [key, value] of Object.entries(added)) {
    if (strategy === 'add-only' && key in base) continue;
    merged[key] = strategy !== 'override' && Array.isArray(value) ? [...listOf(base[key]), ...value] : value;
  }
  return merged;
}

function readYaml(file: string): FalcoSettings {
  let text: string;
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`${file} is too large for a configuration`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = fileTrouble(error);
    throw new Error(why ? `cannot read ${file}: ${why}` : (error as Error).message);
  }
  const document = parseDocument(text, { version: '1.1', logLevel: 'silent' });
  const wrong = document.errors[0];
  if (wrong) throw new Error(`${file} is not YAML: ${wrong.message.split('\n')[0]}`);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`${file} holds no keys`);
  return value as FalcoSettings;
}

function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { withFileTypes: true })
      .filter(entry => /\.ya?ml$/.test(entry.name) && !entry.isDirectory())
      .map(entry => join(path, entry.name))
      .sort();
  } catch {
    // The folder of the default configuration need not exist.
    return [];
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

function textOf(entry: unknown, key: string): string | undefined {
  const value = typeof entry === 'object' && entry !== null ? (entry as FalcoSettings)[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}
