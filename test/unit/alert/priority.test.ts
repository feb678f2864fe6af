import { expect, it } from 'vitest';
import { PRIORITIES, parsePriority, priorityRank } from '../../../src/core/alert/priority.ts';

it.each([
  ['Warning', 'Warning'],
  ['wARNING', 'Warning'],
  ['info', 'Informational'],
  ['INFO', 'Informational'],
  ['crit', 'Critical'],
  ['emerg', 'Emergency'],
])('reads %s', (text, priority) => {
  expect(parsePriority(text)).toBe(priority);
});

it.each(['', 'high', 'none', '4', '__proto__', 'constructor'])('knows no priority called %j', text => {
  expect(parsePriority(text)).toBeUndefined();
});

it('ranks as falcosidekick numbers them', () => {
  expect(PRIORITIES.map(priorityRank)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
