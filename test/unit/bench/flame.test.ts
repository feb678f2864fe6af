import { expect, test } from 'vitest';
import { flameGraph } from '../../../bench/flame.ts';

const node = (id: number, functionName: string, url = '', children: number[] = []) => ({
  id,
  callFrame: { functionName, url },
  children,
});

/** The frames of a graph: what resting on one shows, and its box. */
function framesOf(svg: string) {
  const frame = /<title>([^<]*)<\/title><rect x="([\d.]+)" y="(-[\d.]+)" width="([\d.]+)"/g;
  return [...svg.matchAll(frame)].map(([, title, x, y, width]) => ({
    title,
    x: Number(x),
    y: Number(y),
    width: Number(width),
  }));
}

test('a frame is as wide as its time with all that it called, and stands on its caller', () => {
  const svg = flameGraph({
    nodes: [
      node(1, '(root)', '', [2, 3, 6]),
      node(2, '(idle)'),
      node(3, 'take', 'file:///home/x/tiercel/dist/core/a.js', [4, 5]),
      node(4, 'parse<T>', 'file:///home/x/tiercel/dist/core/b.js'),
      node(5, 'parse<T>', 'file:///home/x/tiercel/dist/core/b.js'),
      node(6, 'write'),
    ],
    samples: [2, 3, 4, 5, 6],
    timeDeltas: [9000, 100, 200, 300, 400],
  });
  expect(framesOf(svg)).toEqual([
    { title: 'take, dist/core/a.js: 60.0 %', x: 0, y: -17, width: 720 },
    { title: 'parse&lt;T&gt;, dist/core/b.js: 50.0 %', x: 0, y: -34, width: 600 },
    { title: 'write: 40.0 %', x: 720, y: -17, width: 480 },
  ]);
});

test('what nobody could see is left out', () => {
  const svg = flameGraph({
    nodes: [node(1, '(root)', '', [2, 3]), node(2, 'long'), node(3, 'short')],
    samples: [2, 3],
    timeDeltas: [9999, 1],
  });
  expect(framesOf(svg).map(({ title }) => title)).toEqual(['long: 100.0 %']);
});
