import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

/** File → the project's files that it imports, both relative to src. */
function importsOf(pattern: RegExp): Map<string, string[]> {
  return new Map(
    globSync('src/**/*.ts').map(file => {
      const targets = [...readFileSync(file, 'utf8').matchAll(pattern)];
      return [
        relative('src', file),
        targets.map(([, target]) => relative('src', join(dirname(file), target!))),
      ];
    }),
  );
}

const imports = importsOf(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
const runtimeImports = importsOf(/^(?:import|export) (?!type\b)[^;']*?from '(\.[^']+)'/gm);

/** What an output may know of the core: contracts, value types and pure helpers. */
const OPEN_TO_OUTPUTS =
  /^core\/(contract|errors|keys|url-parts|raw-utf8|kubeconfig|trust|visible|alert\/(alert|json|priority)|nats\/\w+|template\/\w+|http\/verdict)\.ts$/;

function violations(from: RegExp, allowed: (target: string, file: string) => boolean): string[] {
  return [...imports]
    .filter(([file]) => from.test(file))
    .flatMap(([file, targets]) =>
      targets.filter(target => !allowed(target, file)).map(target => `${file} -> ${target}`),
    );
}

describe('layers', () => {
  test('there is something to look at', () => expect(imports.size).toBeGreaterThan(20));

  test('core imports core alone', () => {
    expect(violations(/^core\//, target => target.startsWith('core/'))).toEqual([]);
  });

  test('what listens and what sends know nothing of each other', () => {
    const allowed = (target: string) =>
      !target.startsWith('core/http/') || target === 'core/http/node-http.ts';
    expect(violations(/^core\/http-server\//, allowed)).toEqual([]);
    expect(violations(/^core\/http\//, target => !target.startsWith('core/http-server/'))).toEqual([]);
  });

  test('an output imports contracts, shared helpers and its own folder, never another output', () => {
    const own = (file: string) => `${file.split('/').slice(0, 2).join('/').replace(/\.ts$/, '')}/`;
    const allowed = (target: string, file: string) =>
      OPEN_TO_OUTPUTS.test(target) || target.startsWith('outputs/_kit/') || target.startsWith(own(file));
    expect(violations(/^outputs\/(?!_kit|index\.ts)/, allowed)).toEqual([]);
  });

  test('shared helpers of outputs import no output', () => {
    const allowed = (target: string) => OPEN_TO_OUTPUTS.test(target) || target.startsWith('outputs/_kit/');
    expect(violations(/^outputs\/_kit\//, allowed)).toEqual([]);
  });

  test('there is no cycle', () => {
    const done = new Set<string>();
    const walk = (file: string, path: string[]): string[] | undefined => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
      if (done.has(file)) return undefined;
      for (const target of imports.get(file) ?? []) {
        const cycle = walk(target, [...path, file]);
        if (cycle) return cycle;
      }
      done.add(file);
      return undefined;
    };
    const cycles = [...imports.keys()].map(file => walk(file, [])).filter(cycle => cycle !== undefined);
    expect(cycles).toEqual([]);
  });

  test('the client of NATS is loaded only by who talks to NATS', () => {
    const eager = [...imports.keys()]
      .filter(file => /^(core|cli|daemon)/.test(file))
      .filter(file =>
        /^(?:import|export)(?! type)[^;]*?from '@nats-io/m.test(readFileSync(join('src', file), 'utf8')),
      );
    expect(eager).toEqual([]);
    const intoJetStream = [...runtimeImports]
      .filter(([file]) => !file.startsWith('core/spool/jetstream/') && !file.startsWith('cli/doctor/'))
      .filter(([, targets]) => targets.some(target => target.startsWith('core/spool/jetstream/')));
    expect(intoJetStream).toEqual([]);
  });

  test('vendor packages are imported when an output opens, not when the registry loads', () => {
    const eager = [...imports.keys()]
      .filter(file => file.startsWith('outputs/'))
      .flatMap(file => {
        const source = readFileSync(join('src', file), 'utf8');
        const packages = [...source.matchAll(/^(?:import|export)(?! type)[^;]*?from '([^.'][^']*)'/gm)];
        return packages
          .filter(([, name]) => !/^(node:|zod$)/.test(name!))
          .map(([, name]) => `${file} -> ${name}`);
      });
    expect(eager).toEqual([]);
  });
});
