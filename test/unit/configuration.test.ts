import { expect, test } from 'vitest';
import { readConfigToRun } from '../../src/configuration.ts';

const outputsOf = (env: Record<string, string>) => readConfigToRun({ env }).outputs.map(({ id }) => id);

test('a newcomer sees the alerts, unless told otherwise', () => {
  expect(outputsOf({})).toEqual(['console']);
  expect(outputsOf({ CONSOLE_ENABLED: '' })).toEqual(['console']);
  expect(outputsOf({ CONSOLE_ENABLED: 'false' })).toEqual([]);
  expect(outputsOf({ WEBHOOK_ADDRESS: 'http://a.example/' })).toEqual(['webhook']);
});
