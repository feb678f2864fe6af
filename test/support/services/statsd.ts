/** Servers that take statsd lines: the original, and Prometheus' exporter, which reads DogStatsD tags as well. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { cacheFolder, freePorts, launch, listens, restartable, scratch } from './process.ts';

/** The versions that scripts/services.sh fetches. */
const program = join(cacheFolder(), 'statsd-0.9.0', 'node_modules', 'statsd', 'stats.js');
const exporter = join(cacheFolder(), 'statsd_exporter-0.26.1', 'statsd_exporter');

/** Why there is no statsd; undefined when there is one. */
export function missingStatsd(): string | undefined {
  return existsSync(program) ? undefined : 'statsd is not installed';
}

/** Why there is no statsd_exporter; undefined when there is one. */
export function missingStatsdExporter(): string | undefined {
  return existsSync(exporter) ? undefined : 'statsd_exporter is not installed';
}

export interface Statsd {
  port: number;
  /** Counters by name, since its start. */
  counters(): Promise<Record<string, number>>;
  /** Ends the server; it forgets its counters. */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts statsd, read over its management port: docs/admin_interface.md of statsd. */
export async function startStatsd(): Promise<Statsd> {
  const folder = await scratch('statsd');
  const [port, management] = (await freePorts(2)) as [number, number];
  const config = join(folder.path, 'config.js');
  const settings = { address: '127.0.0.1', port, mgmt_address: '127.0.0.1', mgmt_port: management };
  // Counters start anew at each flush, so there is none.
  await writeFile(config, JSON.stringify({ ...settings, backends: [], flushInterval: 3_600_000 }));
  // It calls what Node has no longer.
  const shim = join(folder.path, 'log.cjs');
  await writeFile(shim, "require('node:util').log = console.log;");
  const server = await restartable(
    {
      command: process.execPath,
      args: ['--require', shim, program, config],
      ready: () => listens(management),
      withinMs: 15_000,
    },
    folder,
  );
  return {
    ...server,
    port,
    counters: async () => {
      const socket = connect(management, '127.0.0.1').setEncoding('utf8');
      socket.write('counters\n');
      let answer = '';
      for await (const chunk of socket) {
        answer += chunk;
        if (answer.includes('END')) break;
      }
      return readShown(answer.slice(0, answer.indexOf('END')));
    },
  };
}

/** An object as Node shows it to people: `{ 'a.b': 1, c: 2 }`. */
function readShown(text: string): Record<string, number> {
  const pairs = text.matchAll(/(?:'([^']*)'|(\w+)): (\d+)/g);
  return Object.fromEntries([...pairs].map(([, quoted, plain, value]) => [quoted ?? plain, Number(value)]));
}

export interface StatsdExporter {
  port: number;
  /** Its metrics in Prometheus' text format. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

export async function startStatsdExporter(): Promise<StatsdExporter> {
  const [port, web] = (await freePorts(2)) as [number, number];
  const running = await launch({
    command: exporter,
    args: [
      `--statsd.listen-udp=127.0.0.1:${port}`,
      '--statsd.listen-tcp=',
      `--web.listen-address=127.0.0.1:${web}`,
    ],
    ready: () => listens(web),
    withinMs: 15_000,
  });
  return {
    port,
    metrics: async () => (await fetch(`http://127.0.0.1:${web}/metrics`)).text(),
    stop: () => running.stop(),
  };
}
