import { expect, test } from 'vitest';
import { scale } from '../../../../src/outputs/_kit/scale.ts';
import { toTags } from '../../../../src/outputs/_kit/tags.ts';
import { alertOf } from '../../../support/alerts.ts';

test('a priority that is not named has the value of the next more urgent one', () => {
  expect(scale({ Emergency: 'a', Error: 'b', Notice: 'c' })).toEqual({
    Emergency: 'a',
    Alert: 'a',
    Critical: 'a',
    Error: 'b',
    Warning: 'b',
    Notice: 'c',
    Informational: 'c',
    Debug: 'c',
  });
});

test('tags are the parts, then the text fields under names of their own', () => {
  const fields = { rule: 'a field', 'b.c': 'x', b_c: 'y', time: 'z', port: 443 };
  const head = { rule: 'R', priority: 'Debug', output: '', time: '2026-01-31T12:00:00Z' };
  const alert = alertOf(JSON.stringify({ ...head, output_fields: fields }));
  expect(toTags(alert, [['rule', 'R']], name => name.replaceAll('.', '_'), ['time'])).toEqual([
    ['rule', 'R'],
    ['b_c_2', 'x'],
    ['b_c', 'y'],
    ['rule_2', 'a field'],
    ['time_2', 'z'],
  ]);
});
