/** Flame graphs: who called whom, each as wide as the time it took with all it called. Pure. */
import { escapeHtml } from '../src/core/template/quote.ts';
import { busyTimes, type CpuProfile, type Frame, frameOf, keyOf } from './cpu-profile.ts';

/** A function as called by certain callers: it stands on them. */
interface Block extends Frame {
  /** Microseconds, with what it called. */
  micros: number;
  callees: Map<string, Block>;
}

/** Where a block is drawn, in pixels and rows. */
interface Place {
  x: number;
  level: number;
  width: number;
}

const WIDTH = 1200;
const ROW = 17;
/** Narrower ones are left out: nobody could see them. */
const MIN_WIDTH = 1.2;
/** Pixels of a character, and where a name begins. */
const CHARACTER = 6.6;
const INSET = 3;
const MIN_CHARACTERS = 3;

/** A kind of code by the beginning of its file, and its colour. The first that fits counts. */
const KINDS: readonly (readonly [label: string, file: RegExp, colour: string])[] = [
  ['outputs', /^(dist|src)\/outputs\//, '#f4a259'],
  ['core', /^(dist|src)\//, '#f4d35e'],
  ['Node.js', /^node:/, '#9fc490'],
  ['native code', /^$/, '#c0c6cc'],
  ['packages', /^/, '#8fb8de'],
];

/** An SVG; resting on a frame shows its name, file and share. Callers stand below what they call. */
export function flameGraph(profile: CpuProfile): string {
  const root = rootOf(profile);
  const boxes: string[] = [];
  let rows = 0;
  const stack = (on: Block, left: number, level: number): void => {
    let x = left;
    for (const block of [...on.callees.values()].sort((a, b) => b.micros - a.micros)) {
      const share = block.micros / root.micros;
      const width = share * WIDTH;
      if (width >= MIN_WIDTH) {
        boxes.push(boxOf(block, share, { x, level, width }));
        rows = Math.max(rows, level + 1);
        stack(block, x, level + 1);
      }
      x += width;
    }
  };
  stack(root, 0, 0);
  const height = (rows + 2) * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">`,
    '<title>Flame graph</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...KINDS.map(([label, , colour], index) => legendOf(label, colour, index * 130)),
    `<g transform="translate(0 ${height})">`,
    ...boxes,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function rootOf(profile: CpuProfile): Block {
  const nodes = new Map(profile.nodes.map(node => [node.id, node]));
  const times = busyTimes(profile);
  /** Adds a node's time, with what it called, to a block. */
  const add = (id: number, block: Block): number => {
    let micros = times.get(id) ?? 0;
    for (const child of nodes.get(id)!.children ?? []) {
      const frame = frameOf(nodes.get(child)!);
      const key = keyOf(frame);
      const callee = block.callees.get(key) ?? { ...frame, micros: 0, callees: new Map() };
      block.callees.set(key, callee);
      micros += add(child, callee);
    }
    block.micros += micros;
    return micros;
  };
  const root: Block = { name: '(root)', file: '', micros: 0, callees: new Map() };
  add(profile.nodes[0]!.id, root);
  return root;
}

function boxOf({ name, file }: Frame, share: number, { x, level, width }: Place): string {
  const [, , colour] = KINDS.find(([, prefix]) => prefix.test(file))!;
  const y = -(level + 1) * ROW;
  const title = escapeHtml(`${name}${file && `, ${file}`}: ${(100 * share).toFixed(1)} %`);
  const room = Math.floor((width - 2 * INSET) / CHARACTER);
  const label = `<text x="${(x + INSET).toFixed(1)}" y="${y + 12}">${escapeHtml(shortened(name, room))}</text>`;
  return (
    `<g><title>${title}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" ` +
    `fill="${colour}" stroke="#fff" stroke-width=".5"/>${room < MIN_CHARACTERS ? '' : label}</g>`
  );
}

function legendOf(label: string, colour: string, x: number): string {
  return (
    `<rect x="${x + 4}" y="3" width="11" height="11" fill="${colour}"/>` +
    `<text x="${x + 20}" y="12">${escapeHtml(label)}</text>`
  );
}

function shortened(name: string, characters: number): string {
  return name.length <= characters ? name : `${name.slice(0, characters - 1)}…`;
}
