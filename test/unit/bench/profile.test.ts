import { expect, test } from 'vitest';
import { laterHalf } from '../../../bench/cpu-profile.ts';
import { topOf } from '../../../bench/profile.ts';

test('the top list is of time by function, idling left out', () => {
  const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url } });
  const profile = {
    nodes: [
      node(1, '(idle)'),
      node(2, 'parse', 'file:///home/x/tiercel/dist/core/json.js'),
      node(3, 'parse', 'file:///home/x/tiercel/dist/core/json.js'),
      node(4, '', 'file:///home/x/tiercel/node_modules/pino/lib/a.js'),
      node(5, 'writev'),
    ],
    samples: [1, 2, 3, 4, 5, 1],
    timeDeltas: [9000, 300, 200, 100, 400, 9000],
  };
  expect(topOf(profile, 3)).toEqual([
    { percent: 50, name: 'parse', file: 'dist/core/json.js' },
    { percent: 40, name: 'writev', file: '' },
    { percent: 10, name: '(anonymous)', file: 'pino/lib/a.js' },
  ]);
});

test('the start is not of interest', () => {
  const profile = { nodes: [], samples: [1, 2, 3, 4], timeDeltas: [10, 20, 30, 40] };
  expect(laterHalf(profile)).toEqual({ nodes: [], samples: [3, 4], timeDeltas: [30, 40] });
});
