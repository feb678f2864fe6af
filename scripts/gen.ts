/**
 * Writes everything that follows from the definitions of the outputs and from the schema of the settings: the registry,
 * the JSON Schema, the example file and the documentation pages. `--check` writes nothing and exits with 1 when a file
 * is not as it should be.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toExampleYaml } from '../src/core/config/example.ts';
import { toJsonSchema } from '../src/core/config/json-schema.ts';
import { toChart } from './gen/chart.ts';
import { fileName, toOutputIndex, toOutputPage, toReference } from './gen/docs.ts';
import { findOutputs, readDefinitions, toRegistry } from './gen/registry.ts';
import { requestOf } from './gen/sent.ts';

const ROOT = new URL('../', import.meta.url);
const OUTPUTS = new URL('src/outputs/', ROOT);
const PAGES = 'docs/outputs/';

const at = (path: string) => fileURLToPath(new URL(path, ROOT));
const check = process.argv.includes('--check');
const changed: string[] = [];

/** Code and JSON look as the formatter of the repository would have them. */
function formatted(path: string, text: string): string {
  if (!/\.(ts|json)$/.test(path)) return text;
  const biome = at('node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'format', `--stdin-file-path=${path}`];
  return execFileSync(process.execPath, args, { cwd: at('.'), input: text, encoding: 'utf8' });
}

function put(path: string, text: string): void {
  const file = at(path);
  const wanted = formatted(path, text);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return;
  changed.push(path);
  if (check) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted);
}

/** Pages of outputs that are no more. */
function removeOthers(pages: ReadonlySet<string>): void {
  for (const name of existsSync(at(PAGES)) ? readdirSync(at(PAGES)) : []) {
    if (!name.endsWith('.md') || pages.has(name)) continue;
    changed.push(PAGES + name);
    if (!check) rmSync(at(PAGES + name));
  }
}

const modules = findOutputs(fileURLToPath(OUTPUTS));
put('src/outputs/index.ts', toRegistry(modules));

const definitions = await readDefinitions(modules, OUTPUTS);
put('config/schema.json', JSON.stringify(toJsonSchema(definitions)));
put('config/tiercel.example.yaml', toExampleYaml(definitions));
put('docs/configuration-reference.md', toReference());

const pages = new Set(['README.md']);
put(`${PAGES}README.md`, toOutputIndex(definitions));
for (const definition of definitions) {
  const page = `${fileName(definition.name)}.md`;
  pages.add(page);
  put(PAGES + page, toOutputPage(definition, await requestOf(definition)));
}
removeOthers(pages);

const read = (path: string) => readFileSync(at(path), 'utf8');
for (const [path, text] of toChart(definitions, read)) put(path, text);

if (check && changed.length > 0) {
  console.error(`not as \`npm run gen\` would write them:\n${changed.map(path => `  ${path}`).join('\n')}`);
  process.exitCode = 1;
} else {
  for (const path of changed) console.log(`wrote ${path}`);
}
