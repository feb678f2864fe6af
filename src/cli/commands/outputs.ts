/** `tiercel outputs`: the outputs of this version, and the keys of one. */
import { stringify } from 'yaml';
import type { z } from 'zod';
import { type DescribedKey, describeKeys, flatKeys } from '../../core/config/catalog.ts';
import { nearest } from '../../core/config/nearest.ts';
import { commonKeys, ownKeys, settingsShape } from '../../core/config/schema.ts';
import type { OutputDefinition } from '../../core/contract.ts';
import { outputs } from '../../outputs/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { type Paint, painter, table, wrap } from '../text.ts';

/** What is shown of an output. */
interface Listed {
  name: string;
  title: string;
  category: string;
  docs: string;
  keys: DescribedKey[];
  commonKeys: DescribedKey[];
  /** The smallest configuration, in the output's place in the file. */
  example: Record<string, unknown>;
}

/** The metrics page counts as an output in falcosidekick; here it is part of the daemon and always there. */
const PROMETHEUS: Listed = {
  name: 'prometheus',
  title: 'Prometheus at /metrics, built in',
  category: 'metrics',
  docs: 'Counts alerts and their delivery on /metrics, where Prometheus fetches them; always on. See docs/metrics.md.',
  keys: flatKeys(describeKeys({ prometheus: settingsShape.prometheus })),
  commonKeys: [],
  example: { prometheus: { extralabels: ['k8s.ns.name'] } },
};

export async function listOutputs(
  name: string | undefined,
  options: { json?: boolean },
  { io }: Context,
): Promise<ExitCode> {
  const paint = painter(io.colours);
  const all = [...outputs.map(toListed), PROMETHEUS];
  if (name === undefined) {
    await io.print(options.json ? asJson(all.map(toSummary)) : renderList(all, paint));
    return EXIT.ok;
  }
  const listed = all.find(output => output.name === name.toLowerCase());
  if (!listed) {
    const near = nearest(
      name,
      all.map(output => output.name),
    );
    const hint = near ? `did you mean ${near}?` : '`tiercel outputs` lists them';
    throw new CliError(EXIT.usage, `there is no output called ${name}`, hint);
  }
  await io.print(options.json ? asJson(toDetails(listed)) : renderOutput(listed, paint, io.columns));
  return EXIT.ok;
}

const asJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

function toListed(definition: OutputDefinition): Listed {
  const { name, title, category, docs, example } = definition;
  const path = name.split('.');
  const keysOf = (shape: z.ZodRawShape) => flatKeys(describeKeys(shape, path));
  return {
    ...{ name, title, category, docs },
    keys: keysOf(ownKeys(definition)),
    commonKeys: keysOf(commonKeys(definition)),
    example: path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), example) as Listed['example'],
  };
}

const toSummary = ({ name, title, category, docs }: Listed) => ({ name, title, category, docs });

function toDetails(listed: Listed) {
  const told = ({ path, env, fallback, meta }: DescribedKey) => ({
    path,
    env,
    description: meta.description,
    expected: meta.expected,
    default: fallback,
    secret: meta.secret === true,
  });
  return {
    ...toSummary(listed),
    keys: listed.keys.map(told),
    commonKeys: listed.commonKeys.map(told),
    example: listed.example,
  };
}

function renderList(all: readonly Listed[], paint: Paint): string {
  const rows = [...all]
    .sort((a, b) => a.category.localeCompare(b.category) || a.name.localeCompare(b.name))
    .map(({ category, name, title }) => [category, paint(name, 'bold'), title]);
  return `${table(['CATEGORY', 'NAME', 'OUTPUT'], rows, paint)}\n\`tiercel outputs NAME\` shows the keys of one.\n`;
}

function renderOutput(listed: Listed, paint: Paint, columns = 100): string {
  const { name, title, category, docs, keys, commonKeys: common, example } = listed;
  const section = (heading: string, described: DescribedKey[]) =>
    described.length > 0
      ? `\n${paint(heading, 'bold')}\n${described.map(key => renderKey(key, paint, columns)).join('')}`
      : '';
  return [
    `${paint(title, 'bold')} (${name}, ${category})\n${docs}\n`,
    section('Keys', keys),
    section('Keys of every output of this kind', common),
    `\n${paint('Smallest configuration', 'bold')}\n`,
    indent(stringify(example), 2),
  ].join('');
}

function renderKey({ path, env, fallback, meta }: DescribedKey, paint: Paint, columns: number): string {
  const facts = [
    meta.expected,
    ...(isEmpty(fallback)
      ? []
      : [`default ${typeof fallback === 'object' ? JSON.stringify(fallback) : fallback}`]),
    ...(meta.secret ? ['secret'] : []),
    ...(meta.userInfo ? ['may hold a password'] : []),
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
