/**
 * Every value of the falcosidekick chart 0.14: its path, its default, and the variable that its daemon gets from it, as
 * that chart's values.yaml and a render of its templates have them.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { containerOf, missingHelm, only, render, secretTexts } from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';

type Tree = { [key: string]: unknown };

const { defaults, variables } = JSON.parse(
  readFileSync(new URL('fixtures/falcosidekick-chart.json', import.meta.url), 'utf8'),
) as { defaults: Tree; variables: Record<string, string> };

/** Variables that the daemon of falcosidekick does not read: it has other names for them. */
const RENAMED: Record<string, string> = {
  CLOUDEVENTS_EXTENSION: 'CLOUDEVENTS_EXTENSIONS',
  TELEGRAM_MESSAGE_THREAD_ID: 'TELEGRAM_MESSAGETHREADID',
};

/** With useirsa, its default, these two come with the service account. */
const WITH_THE_ACCOUNT = ['AWS_ROLEARN', 'AWS_EXTERNALID'];

function at(tree: Tree, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => (node as Tree | undefined)?.[key], tree);
}

function put(tree: Tree, path: string, value: unknown): void {
  const [key, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  tree[key] ??= {};
  put(tree[key] as Tree, rest.join('.'), value);
}

/** Another value of the same kind. */
function other(path: string, number: number): unknown {
  // Without it the chart asks how the pods are to be probed.
  if (path === 'tlsserver.notlspaths') return '/ping,/metrics';
  const value = at(defaults.config as Tree, path);
  return typeof value === 'boolean' ? !value : typeof value === 'number' ? number + 1000 : `value ${number}`;
}

/** The configuration in the form of variables, secrets in their places. */
function flatten(
  node: unknown,
  name: string,
  secrets: Record<string, string>,
  found: Record<string, string>,
) {
  if (typeof node === 'object' && node !== null) {
    for (const [key, inner] of Object.entries(node)) {
      flatten(inner, [name, key.toUpperCase()].filter(Boolean).join('_'), secrets, found);
    }
    return found;
  }
  found[name] = String(node).replace(/^\$\{file:secrets\/(.*)\}$/, (_, file: string) => secrets[file]!);
  return found;
}

describeWith('the values of the falcosidekick chart', missingHelm(), () => {
  let folder: Awaited<ReturnType<typeof scratch>>;
  beforeAll(async () => {
    folder = await scratch('falcosidekick');
  });
  afterAll(() => folder.remove());

  async function renderValues(values: Tree, validated = true) {
    const file = join(folder.path, `${Math.random()}.yaml`);
    await writeFile(file, JSON.stringify(values));
    return render({ files: [file], validated });
  }

  test('are known, all of them, with their defaults', async () => {
    const objects = await renderValues(defaults);
    // Nothing is turned on by them, and the image is ours.
    expect(objects.some(({ kind }) => kind === 'Ingress' || kind === 'ClusterRole')).toBe(false);
    expect(containerOf(objects).image).toMatch(/^tiercel:/);
  });

  test('reach the daemon under the names of its variables', async () => {
    const config: Tree = {};
    const expected: Record<string, string> = {};
    for (const [number, [path, variable]] of Object.entries(variables).entries()) {
      const value = other(path, number);
      put(config, path, value);
      if (!WITH_THE_ACCOUNT.includes(variable)) expected[RENAMED[variable] ?? variable] = String(value);
    }
    expect(Object.keys(expected).length).toBeGreaterThan(380);
    const objects = await renderValues({ config }, false);
    const file = parse(only(objects, 'ConfigMap').data['config.yaml'], { intAsBigInt: false });
    const texts = Object.fromEntries(
      (containerOf(objects).env as { name: string; value: string }[])
        .filter(({ name }) => name !== 'SPOOL_PATH')
        .map(({ name, value }) => [name, value]),
    );
    expect(flatten(file, '', secretTexts(only(objects, 'Secret')), texts)).toEqual(
      expect.objectContaining(expected),
    );
  });
});
