/** A daemon under test as a process group of its own: started, watched, killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './clock.ts';
import { treeCpuSeconds, treeRssMib } from './proc.ts';

export interface Launch {
  words: readonly string[];
  /** Where it runs, and where its log goes. */
  folder: string;
  env: Record<string, string>;
  healthPort: number;
  healthPath: string;
}

const READY_WITHIN_MS = 30_000;
const POLL_MS = 2;
const SAMPLE_MS = 250;
const STOP_WITHIN_MS = 5000;
const SHOWN_LOG = 2000;

/** Groups that have not ended: they go with the bench. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL');
});

export class DaemonProcess {
  /** Milliseconds from its start to its first answer. */
  readonly startedInMs: number;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #sampler: NodeJS.Timeout;
  #peakMib = 0;

  private constructor(child: ChildProcess, gone: Promise<void>, startedInMs: number) {
    this.#child = child;
    this.#gone = gone;
    this.startedInMs = startedInMs;
    this.#sampler = setInterval(() => this.rssMib(), SAMPLE_MS);
  }

  /** Starts it; resolves when it answers. @throws Error with the end of its log when it does not */
  static async start({ words, folder, env, healthPort, healthPath }: Launch): Promise<DaemonProcess> {
    const logFile = join(folder, 'daemon.log');
    const log = openSync(logFile, 'a');
    const startMs = nowMs();
    const child = spawn(words[0]!, words.slice(1), {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    running.add(child);
    const gone = new Promise<void>(resolve => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    }).then(() => void running.delete(child));
    while (!(await answers(healthPort, healthPath))) {
      if (!running.has(child) || nowMs() - startMs > READY_WITHIN_MS) {
        killGroup(child, 'SIGKILL');
        throw new Error(`${words[0]} did not start:\n${readFileSync(logFile, 'utf8').slice(-SHOWN_LOG)}`);
      }
      await sleep(POLL_MS);
    }
    return new DaemonProcess(child, gone, nowMs() - startMs);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isRunning(): boolean {
    return running.has(this.#child);
  }

  /** CPU seconds of the whole process tree so far. */
  cpuSeconds(): number {
    return treeCpuSeconds(this.pid);
  }

  /** Resident memory of the whole process tree, in MiB. */
  rssMib(): number {
    const mib = treeRssMib(this.pid);
    this.#peakMib = Math.max(this.#peakMib, mib);
    return mib;
  }

  /** The most that was seen since the last call, in MiB. */
  takePeakMib(): number {
    this.rssMib();
    const peak = this.#peakMib;
    this.#peakMib = 0;
    return peak;
  }

  /** Ends the whole group and waits for it; SIGKILL follows when it does not obey. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    clearInterval(this.#sampler);
    killGroup(this.#child, signal);
    const last = setTimeout(() => killGroup(this.#child, 'SIGKILL'), STOP_WITHIN_MS);
    await this.#gone;
    clearTimeout(last);
  }
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** Whether a GET is answered with 200. */
function answers(port: number, path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(1000, () => socket.destroy());
    socket.on('connect', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', chunk => {
      resolve(/^HTTP\/1\.\d 200 /.test(chunk.toString()));
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(false));
  });
}
