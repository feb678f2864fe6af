/** The list of outputs against that of falcosidekick (2.34.1 and the 35 commits after it). */
import { expect, test } from 'vitest';
import { missingFrom } from '../../../scripts/compare-outputs.ts';
import reference from '../../support/falcosidekick-outputs.json' with { type: 'json' };
import { cli } from './support.ts';

interface Listed {
  name: string;
}

async function listed(): Promise<Listed[]> {
  return JSON.parse((await cli(['outputs', '--json'])).out) as Listed[];
}

test('every output of falcosidekick is there, and the console besides', async () => {
  const ours = await listed();
  expect(missingFrom(ours, reference.outputs)).toEqual([]);
  expect(missingFrom(reference.outputs, ours)).toEqual(['console']);
  expect(new Set(ours.map(({ name }) => name)).size).toBe(ours.length);
});

test('the list for people has the same', async () => {
  const { out } = await cli(['outputs']);
  for (const { name } of await listed()) expect(out).toMatch(new RegExp(`^\\w+ +${name} `, 'm'));
});

test('the metrics page is told of as built in, with its keys', async () => {
  expect((await cli(['outputs'])).out).toMatch(/^metrics +prometheus +.*built in$/m);
  const { code, out } = await cli(['outputs', 'Prometheus']);
  expect(code).toBe(0);
  expect(out).toMatch(/prometheus\.extralabels {2}PROMETHEUS_EXTRALABELS/);
});

test('what is missing is named', () => {
  const others = [{ name: 'aws.sqs' }, { name: 'fission' }];
  expect(missingFrom(others, [{ name: 'awssqs' }, { name: 'Fission' }, { name: 'gotify' }])).toEqual([
    'gotify',
  ]);
});
