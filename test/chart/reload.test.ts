import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { numbered, until, withTwoSinks } from '../e2e/support.ts';
import {
  type Manifest,
  missingHelm,
  only,
  render,
  secretTexts,
  workloadOf,
} from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort } from '../support/services/process.ts';

/** The files of the volume `config`, by path. */
function filesOf(objects: Manifest[]): Map<string, string> {
  const secrets = secretTexts(only(objects, 'Secret'));
  const { volumes } = workloadOf(objects).spec.template.spec;
  const { sources } = (volumes as Manifest[]).find(({ name }) => name === 'config')!.projected;
  const items = (sources as Manifest[]).flatMap(({ secret }) => (secret?.items ?? []) as Manifest[]);
  return new Map([
    ...Object.entries(only(objects, 'ConfigMap').data as Record<string, string>),
    ...items.map(({ key, path }): [string, string] => [path, secrets[key]!]),
  ]);
}

/** Lays files into a folder the way the kubelet does: all of them change at once, when one link is swapped. */
function project(folder: string, generation: number, files: ReadonlyMap<string, string>): void {
  const data = `..generation-${generation}`;
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, data, path)), { recursive: true });
    writeFileSync(join(folder, data, path), text);
  }
  symlinkSync(data, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  if (generation > 1) return;
  for (const name of new Set([...files.keys()].map(path => path.split('/')[0]!))) {
    symlinkSync(join('..data', name), join(folder, name));
  }
}

describeWith('the daemon on what the chart renders', missingHelm(), () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  test('starts, and takes up a changed Secret without a restart', async () => {
    const [daemon, first, second] = await withTwoSinks(cleanups);
    const rendered = (url: string) =>
      render({ set: [`config.webhook.address=${url}`, 'config.webhook.minimumpriority=notice'] });
    const before = await rendered(first.url);
    const after = await rendered(second.url);
    // Pods that roll would prove nothing.
    expect(workloadOf(after)).toEqual(workloadOf(before));

    const folder = join(daemon.dir, 'tiercel');
    mkdirSync(folder);
    project(folder, 1, filesOf(before));
    symlinkSync(join('tiercel', 'config.yaml'), daemon.configFile);
    symlinkSync(join('tiercel', 'secrets'), join(daemon.dir, 'secrets'));
    daemon.port = await freePort();
    const env = { LISTENADDRESS: '127.0.0.1', LISTENPORT: String(daemon.port), SPOOL_PATH: daemon.dataDir };
    await daemon.restart({ env });
    await daemon.post(numbered(1));
    await until('the first has it', () => first.received.has(1));

    const { pid } = daemon;
    project(folder, 2, filesOf(after));
    await until('it is taken up', () => daemon.logs.includes('configuration reloaded'));
    await daemon.post(numbered(2));
    await until('the second has it', () => second.received.has(2));
    expect(first.received.has(2)).toBe(false);
    expect(daemon.pid).toBe(pid);
  });
});
