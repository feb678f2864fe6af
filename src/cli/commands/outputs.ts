/** `tiercel outputs`: the outputs of this version, and the keys of one. */
import { stringify } from 'yaml';
import type { z } from 'zod';
import { type DescribedKey, describeKeys, flatKeys } from '../../core/config/catalog.ts';
import { nearest } from '../../core/config/nearest.ts';
import { commonKeys, ownKeys } from '../../core/config/schema.ts';
import type { OutputDefinition } from '../../core/contract.ts';
import { outputs } from '../../outputs/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { type Paint, painter, table, wrap } from '../text.ts';

export async function listOutputs(
  name: string | undefined,
  options: { json?: boolean },
  { io }: Context,
): Promise<ExitCode> {
  const paint = painter(io.colours);
  if (name === undefined) {
    await io.print(options.json ? asJson(outputs.map(toSummary)) : renderList(paint));
    return EXIT.ok;
  }
  const definition = outputs.find(output => output.name === name.toLowerCase());
  if (!definition) {
    const near = nearest(
      name,
      outputs.map(output => output.name),
    );
    const hint = near ? `did you mean ${near}?` : '`tiercel outputs` lists them';
    throw new CliError(EXIT.usage, `there is no output called ${name}`, hint);
  }
  await io.print(options.json ? asJson(toDetails(definition)) : renderOutput(definition, paint, io.columns));
  return EXIT.ok;
}

const asJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const toSummary = ({ name, title, category, docs }: OutputDefinition) => ({ name, title, category, docs });

const keysOf = (definition: OutputDefinition, shape: z.ZodRawShape) =>
  flatKeys(describeKeys(shape, definition.name.split('.')));

function toDetails(definition: OutputDefinition) {
  const told = ({ path, env, fallback, meta }: DescribedKey) => ({
    path,
    env,
    description: meta.description,
    expected: meta.expected,
    default: fallback,
    secret: meta.secret === true,
  });
  return {
    ...toSummary(definition),
    keys: keysOf(definition, ownKeys(definition)).map(told),
    commonKeys: keysOf(definition, commonKeys(definition)).map(told),
    example: exampleOf(definition),
  };
}

/** The smallest configuration, in the output's place in the file. */
function exampleOf({ name, example }: OutputDefinition): unknown {
  return name.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), example);
}

function renderList(paint: Paint): string {
  const rows = [...outputs]
    .sort((a, b) => a.category.localeCompare(b.category) || a.name.localeCompare(b.name))
    .map(({ category, name, title }) => [category, paint(name, 'bold'), title]);
  return `${table(['CATEGORY', 'NAME', 'OUTPUT'], rows, paint)}\n\`tiercel outputs NAME\` shows the keys of one.\n`;
}

function renderOutput(definition: OutputDefinition, paint: Paint, columns = 100): string {
  const { name, title, category, docs } = definition;
  const section = (heading: string, keys: DescribedKey[]) =>
    keys.length > 0
      ? `\n${paint(heading, 'bold')}\n${keys.map(key => renderKey(key, paint, columns)).join('')}`
      : '';
  return [
    `${paint(title, 'bold')} (${name}, ${category})\n${docs}\n`,
    section('Keys', keysOf(definition, ownKeys(definition))),
    section('Keys of every output of this kind', keysOf(definition, commonKeys(definition))),
    `\n${paint('Smallest configuration', 'bold')}\n`,
    indent(stringify(exampleOf(definition)), 2),
  ].join('');
}

function renderKey({ path, env, fallback, meta }: DescribedKey, paint: Paint, columns: number): string {
  const facts = [
    meta.expected,
    ...(isEmpty(fallback)
      ? []
      : [`default ${typeof fallback === 'object' ? JSON.stringify(fallback) : fallback}`]),
    ...(meta.secret ? ['secret'] : []),
  ];
  const description = wrap(meta.description, Math.max(30, columns - 6)).join('\n');
  return `  ${paint(path, 'cyan')}  ${paint(env, 'dim')}\n${indent(`${description}\n${facts.join(', ')}\n`, 6)}`;
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '';
}

function indent(text: string, spaces: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(spaces));
}
