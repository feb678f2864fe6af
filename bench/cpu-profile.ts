/** CPU profiles as `node --cpu-prof` writes them. */

/** As much as is used of the format: chromedevtools.github.io/devtools-protocol, Profiler.Profile. */
export interface CpuProfile {
  /** The first one is the root. */
  nodes: CpuProfileNode[];
  /** Ids of the nodes that were running. */
  samples: number[];
  /** Microseconds from each sample to the next. */
  timeDeltas: number[];
}

export interface CpuProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  /** Ids of the nodes that it called. */
  children?: number[];
}

/** A function as it is shown. */
export interface Frame {
  name: string;
  /** Relative to the project or to node_modules; `node:...` for Node.js itself, empty for what is native. */
  file: string;
}

const IDLE = '(idle)';

export function frameOf({ callFrame }: CpuProfileNode): Frame {
  return {
    name: callFrame.functionName || '(anonymous)',
    file: callFrame.url.replace(/^.*\/(?=(?:dist|src|node_modules)\/)/, '').replace('node_modules/', ''),
  };
}

/** The same for the same function, wherever it was called. */
export function keyOf({ name, file }: Frame): string {
  return `${name} ${file}`;
}

/** Microseconds that each node took itself, by its id; idling left out. */
export function busyTimes({ nodes, samples, timeDeltas }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>();
  const idle = new Set(nodes.filter(node => node.callFrame.functionName === IDLE).map(node => node.id));
  for (const [index, id] of samples.entries()) {
    if (idle.has(id)) continue;
    times.set(id, (times.get(id) ?? 0) + Math.max(0, timeDeltas[index] ?? 0));
  }
  return times;
}

/** What was seen in the later half: the earlier one has the start, and code that is not compiled yet. */
export function laterHalf(profile: CpuProfile): CpuProfile {
  const from = profile.samples.length >> 1;
  return { ...profile, samples: profile.samples.slice(from), timeDeltas: profile.timeDeltas.slice(from) };
}
