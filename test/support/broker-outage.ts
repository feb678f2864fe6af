/** The trial that every broker's output has to pass: its server goes away in the middle of the load, and comes back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Load, TestDaemon, until } from '../e2e/support.ts';
import type { Restartable } from './services/process.ts';

const ALERTS = 5_000;
const PER_SECOND = 400;
const DOWN_MS = 10_000;
/** Longer than a try of the daemon may take. */
const HANGS_MS = 15_000;

export interface Broker {
  /** Sections of the configuration that deliver to it. */
  config: Record<string, unknown>;
  /** Environment of the daemon. */
  env?: Record<string, string>;
  stop(): Promise<void>;
  /** Starts it again with its data, on the same address. */
  start(): Promise<void>;
  /** What has arrived, as texts that hold each alert's `output`; repeats included. May fail while the server comes up. */
  received(): Promise<readonly string[]>;
  /**
   * For protocols without an answer that a message is stored: it is stopped when it has stored all, as what lies in its
   * socket or memory dies with it, and nobody is told.
   */
  stopsIdle?: boolean;
  /** The server is not stopped but hangs. */
  hangs?: boolean;
}

/** In which ways a server goes away. */
export const WAYS = ['is stopped', 'hangs'] as const;
export type Way = (typeof WAYS)[number];

/** How a server goes away in that way, and comes back. */
export function goesAway(
  way: Way,
  server: Pick<Restartable, 'stop' | 'start' | 'freeze' | 'thaw'>,
): Pick<Broker, 'stop' | 'start' | 'hangs'> {
  if (way === 'is stopped') return { stop: () => server.stop(), start: () => server.start() };
  return { stop: async () => server.freeze(), start: async () => server.thaw(), hangs: true };
}

/** The numbers of the alerts in what has arrived, by their output text. */
export function numbersIn(texts: readonly string[]): number[] {
  return texts.flatMap(text => [...text.matchAll(/alert number (\d+)/g)].map(match => Number(match[1])));
}

/** Posts alerts while the server is away for 10 s or 15 s; every acknowledged one has to arrive. Takes about 20 s. */
export async function survivesOutage(broker: Broker): Promise<{ duplicates: number }> {
  const daemon = new TestDaemon();
  await daemon.start(broker.config, { env: broker.env });
  const load = new Load(daemon.url);
  try {
    await load.run(1, 1);
    let numbers: number[] = [];
    let problem: unknown;
    const arrived = async (count: number) => {
      try {
        numbers = numbersIn(await broker.received());
        problem = undefined;
      } catch (error) {
        problem = error;
      }
      return new Set(numbers).size >= count;
    };
    await until('the first alert is there', () => arrived(1));
    const before = broker.stopsIdle ? PER_SECOND : ALERTS - 1;
    const running = load.run(before, PER_SECOND);
    if (broker.stopsIdle) await running.then(() => until('all is stored', () => arrived(1 + before)));
    else await sleep(1_000);
    await broker.stop();
    const rest = load.run(ALERTS - 1 - before, PER_SECOND);
    await sleep(broker.hangs ? HANGS_MS : DOWN_MS);
    await broker.start();
    await Promise.all([running, rest]);
    expect(load.acknowledged.size).toBe(ALERTS);
    await until('every acknowledged alert has arrived', () => arrived(ALERTS), 60_000).catch(error => {
      const there = new Set(numbers);
      const missing = [...load.acknowledged].filter(n => !there.has(n));
      const what = `${missing.length} missing (${missing.slice(0, 5)} ...)`;
      throw new Error(`${error.message}: ${what}\n${daemon.logs}`, { cause: problem });
    });
    return { duplicates: numbers.length - new Set(numbers).size };
  } finally {
    await load.close();
    await daemon.remove();
  }
}
