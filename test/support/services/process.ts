/** Servers as child processes of a test run: started on free ports, ended by their process, also when tests fail. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Servers of this process that have not ended. */
const running = new Set<ChildProcess>();

/**
 * A shell that waits for the end of its input, which comes with the end of this process however it dies, and then
 * ends the server with all that it has started.
 */
function guard(pid: number): ChildProcess {
  // Without `--`: dash's kill does not know it.
  const script = 'read -r _; kill -9 "-$1" 2>/dev/null';
  return spawn('sh', ['-c', script, 'sh', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
}

export interface Running {
  pid: number;
  /** Ends the process and waits until it is gone. SIGKILL follows when it does not obey. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** It does nothing any more, and its connections stay, as with a machine that hangs. */
  freeze(): void;
  thaw(): void;
}

export interface Launch {
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Asked again and again until it says yes. */
  ready(): Promise<boolean>;
  /** Longest wait for `ready`, in milliseconds. */
  withinMs: number;
}

/** Starts a program and waits until it is ready. @throws Error with the end of its output when it is not */
export async function launch({ command, args, env, ready, withinMs }: Launch): Promise<Running> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: behind a wrapper script the server is a child of the child.
    detached: true,
  });
  running.add(child);
  const watch = child.pid === undefined ? undefined : guard(child.pid);
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const gone = new Promise<void>(resolve => {
    child.once('error', error => {
      output += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  }).then(() => {
    running.delete(child);
    watch?.kill('SIGKILL');
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (!running.has(child)) return;
    const kill = () => process.kill(-child.pid!, 'SIGKILL');
    if (signal === 'SIGKILL') kill();
    else child.kill(signal);
    const last = setTimeout(kill, 15_000);
    await gone;
    clearTimeout(last);
  };
  const deadline = Date.now() + withinMs;
  while (!(await ready().catch(() => false))) {
    if (!running.has(child) || Date.now() > deadline) {
      await stop('SIGKILL');
      throw new Error(`${command} did not become ready:\n${output}`);
    }
    await sleep(50);
  }
  return {
    pid: child.pid!,
    stop,
    freeze: () => freeze(child.pid!),
    thaw: () => void process.kill(-child.pid!, 'SIGCONT'),
  };
}

/**
 * Stops a server and what it has started. On a busy machine threads run on for a while after the signal: those of the
 * server itself have stopped when this returns.
 */
function freeze(pid: number): void {
  process.kill(-pid, 'SIGSTOP');
  const deadline = Date.now() + 5_000;
  while (!isStopped(pid)) {
    if (Date.now() > deadline) throw new Error('the server does not stop');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/** Whether all threads are stopped; true where the system does not tell. */
function isStopped(pid: number): boolean {
  const folder = `/proc/${pid}/task`;
  return !existsSync(folder) || readdirSync(folder).every(thread => stateOf(`${folder}/${thread}`) === 'T');
}

/** The state of a thread, which stands behind its name (proc_pid_stat(5)); one that has just ended counts as stopped. */
function stateOf(thread: string): string | undefined {
  try {
    return /\) (\S)/.exec(readFileSync(`${thread}/stat`, 'utf8'))?.[1];
  } catch {
    return 'T';
  }
}

/** A server that can be stopped and started again, and made to hang. */
export interface Restartable extends Pick<Running, 'freeze' | 'thaw'> {
  pid(): number;
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good and removes what it wrote. */
  remove(): Promise<void>;
}

/**
 * Starts a server.
 * @param folder goes with it
 * @param ending how it is stopped when nothing is said
 */
export async function restartable(
  launching: Launch,
  folder: { remove(): Promise<void> },
  ending?: NodeJS.Signals,
): Promise<Restartable> {
  let running = await launch(launching);
  return {
    pid: () => running.pid,
    stop: (signal = ending) => running.stop(signal),
    freeze: () => running.freeze(),
    thaw: () => running.thaw(),
    start: async () => {
      running = await launch(launching);
    },
    remove: async () => {
      await running.stop(ending);
      await folder.remove();
    },
  };
}

/** Linux gives those from 32768 on to outgoing connections: one of these could take a port while its server is down. */
const PORTS = [15_000, 32_768] as const;

/** A port that nobody listens on at the moment, and that nobody gets who did not ask for it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...PORTS);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  await once(server.close(), 'close');
  return true;
}

/** Several different ones. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** Whether somebody listens. */
export function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A new folder under the system's temporary one, with what removes it. */
export async function scratch(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `tiercel-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Full path of a program, looked for where daemons are kept too; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map(folder => join(folder, name)).find(path => existsSync(path));
}

/** Where scripts/services.sh keeps what is not a Debian package. */
export function cacheFolder(): string {
  return process.env.TIERCEL_CACHE ?? join(homedir(), '.cache', 'tiercel');
}
