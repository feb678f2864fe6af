/** What the Helm chart takes from the definitions of the outputs: facts for its templates, values, schema, README. */
import { parse } from 'yaml';
import { type DescribedKey, describeKeys, flatKeys } from '../../src/core/config/catalog.ts';
import { variableName } from '../../src/core/config/environment.ts';
import { toExampleYaml } from '../../src/core/config/example.ts';
import { commonKeys, ownKeys, settingsShape } from '../../src/core/config/schema.ts';
import type { OutputDefinition } from '../../src/core/contract.ts';
import { toReadme } from './chart-readme.ts';
import { type ChartFacts, toValuesSchema } from './chart-schema.ts';

const FOLDER = 'charts/tiercel/';

/** Where the generated part of values.yaml begins. */
const MARK =
  '  # ---- What follows is written by `npm run gen`: every key with its default, commented out. ----\n';

/**
 * The generated files of the chart, by path.
 * @param read gives the text of a file that is written by hand, by its path
 */
export function toChart(
  definitions: readonly OutputDefinition[],
  read: (path: string) => string,
): Map<string, string> {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const facts = parse(read(`${FOLDER}files/falcosidekick-chart.yaml`)) as ChartFacts;
  const written = handWritten(read(`${FOLDER}values.yaml`));
  return new Map([
    [
      `${FOLDER}Chart.yaml`,
      read(`${FOLDER}Chart.yaml`).replaceAll(/^((?:appV|v)ersion): .*$/gm, `$1: ${version}`),
    ],
    [`${FOLDER}files/outputs.json`, JSON.stringify(toOutputs(definitions))],
    [`${FOLDER}values.yaml`, written + MARK + toConfigExample(definitions)],
    [`${FOLDER}values.schema.json`, JSON.stringify(toValuesSchema(definitions, written, facts))],
    [`${FOLDER}README.md`, toReadme(written, facts)],
  ]);
}

function handWritten(values: string): string {
  const at = values.indexOf(MARK);
  return at < 0 ? values : values.slice(0, at);
}

/** Paths are in lower case, as they stand below `config`. */
function toOutputs(definitions: readonly OutputDefinition[]) {
  const all = [
    ...flatKeys(describeKeys(settingsShape)),
    ...definitions.flatMap(definition => [...keysOf(definition), ...keysAbove(definition)]),
  ];
  const paths = (wanted: (key: DescribedKey) => boolean) =>
    [...new Set(all.filter(wanted).map(({ path }) => path))].sort();
  return {
    secrets: paths(({ meta }) => meta.secret === true || meta.userInfo === true),
    pairs: paths(({ meta }) => meta.form === 'pairs'),
    clusterRules: Object.fromEntries(
      definitions
        .filter(({ clusterRules }) => clusterRules)
        .map(definition => [
          definition.name,
          {
            keys: enablingKeys(definition),
            variables: enablingKeys(definition).map(path => variableName(path)),
            rules: definition.clusterRules,
          },
        ]),
    ),
  };
}

function keysOf(definition: OutputDefinition): DescribedKey[] {
  const shapes = [commonKeys(definition), ownKeys(definition)];
  return shapes.flatMap(shape => flatKeys(describeKeys(shape, definition.name.split('.'))));
}

/** The keys that stand in the section above as well. */
function keysAbove({ name, inherits = [], ...rest }: OutputDefinition): DescribedKey[] {
  const shape = Object.entries(ownKeys({ name, ...rest })).filter(([key]) => inherits.includes(key));
  return flatKeys(describeKeys(Object.fromEntries(shape), name.split('.').slice(0, -1)));
}

/** The example is the least that turns an output on. */
function enablingKeys({ name, example, inherits = [] }: OutputDefinition): string[] {
  return Object.keys(example)
    .filter(key => !inherits.includes(key))
    .map(key => `${name}.${key}`);
}

/** The example file without its head, one level in. */
function toConfigExample(definitions: readonly OutputDefinition[]): string {
  const text = toExampleYaml(definitions);
  const body = text.slice(text.indexOf('\n\n') + 2);
  return `\n${body.replaceAll(/^(?=.)/gm, '  ')}`;
}
