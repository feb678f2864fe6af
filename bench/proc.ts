/** CPU time and memory of process trees, out of Linux's /proc (see man 5 proc). */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;
/** The status names kibibytes, so that the size of a page does not matter. */
const KIB_PER_MIB = 1024;

export interface ProcessStat {
  parent: number;
  /** User and system time of the process and of its children that have ended, in seconds. */
  cpuSeconds: number;
}

/** Reads a line of /proc/PID/stat. The command's name stands in parentheses and may itself hold some. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
}

/** Busy seconds of all processors together, time stolen by a hypervisor included: the first line of /proc/stat. */
export function parseBusy(text: string): number {
  const [user, nice, system, , , irq, softIrq, steal] = text
    .split('\n')[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user! + nice! + system! + irq! + softIrq! + steal!) / TICKS_PER_SECOND;
}

/** The root and all its descendants. */
export function treeOf(root: number, parents: ReadonlyMap<number, number>): number[] {
  const tree = [root];
  for (const member of tree) {
    for (const [child, parent] of parents) if (parent === member) tree.push(child);
  }
  return tree;
}

/** CPU seconds that the process and all its descendants have used. */
export function treeCpuSeconds(root: number): number {
  const stats = readStats();
  return members(root, stats).reduce((sum, pid) => sum + (stats.get(pid)?.cpuSeconds ?? 0), 0);
}

/** Resident memory of the process and all its descendants, in MiB. */
export function treeRssMib(root: number): number {
  return members(root, readStats()).reduce((sum, pid) => sum + rssMib(pid), 0);
}

/** Busy seconds of the whole machine since it started. */
export function machineBusySeconds(): number {
  return parseBusy(readFileSync('/proc/stat', 'utf8'));
}

function members(root: number, stats: ReadonlyMap<number, ProcessStat>): number[] {
  return treeOf(root, new Map([...stats].map(([pid, { parent }]) => [pid, parent])));
}

function readStats(): Map<number, ProcessStat> {
  const stats = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = readProc(`${name}/stat`);
    if (line) stats.set(Number(name), parseStat(line));
  }
  return stats;
}

function rssMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readProc(`${pid}/status`)) ?? [];
  return Number(kib ?? 0) / KIB_PER_MIB;
}

/** Empty when the process has ended meanwhile. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}
