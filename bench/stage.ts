/** What a scenario plays on: a daemon in a folder of its own, sinks, a load generator, and the figures that come of it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../test/support/services/process.ts';
import { nowMs } from './clock.ts';
import { configFor, fillIn, healthPath, type Output, type System } from './command.ts';
import { Ledger, type Span, Tally } from './ledger.ts';
import { LoadGenerator, type LoadPhase, type LoadResult } from './load.ts';
import { machineBusySeconds } from './proc.ts';
import { DaemonProcess } from './process.ts';
import { type Sink, type SinkSpec, Sinks } from './sink.ts';
import { percentile } from './statistics.ts';

const run = promisify(execFile);

export interface StageOptions {
  system: System;
  /** Factor on the length of the phases. */
  scale: number;
  warmUpMs: number;
  /** Length of the soak. */
  soakMs: number;
  /** Leaves the folder. */
  keep: boolean;
}

/** An output of the daemon and the sink behind it. */
export interface Way extends SinkSpec {
  settings?: Record<string, unknown>;
}

/** CPU seconds and time between two moments. */
export interface Usage {
  cpuSeconds: number;
  seconds: number;
}

type PhaseOptions = Pick<LoadPhase, 'durationMs'> & Partial<LoadPhase>;

const CONNECTIONS = 64;
const POLL_MS = 50;

let runs = process.pid % 5000;

export class Stage {
  readonly options: StageOptions;
  readonly figures = new Map<string, number>();
  readonly notes: string[] = [];
  readonly ledger = new Ledger();
  readonly #run = runs++ % 10_000;
  #folder = '';
  #ports = { alerts: 0, health: 0 };
  #outputs: Output[] = [];
  #sinks: Sinks | undefined;
  #load: LoadGenerator | undefined;
  #daemon: DaemonProcess | undefined;
  readonly #cleanups: (() => Promise<unknown>)[] = [];

  constructor(options: StageOptions) {
    this.options = options;
  }

  get daemon(): DaemonProcess {
    return this.#daemon!;
  }

  get sinks(): readonly Sink[] {
    return this.#sinks?.all ?? [];
  }

  /** Where the daemon keeps its data. */
  get dataFolder(): string {
    return join(this.#folder, 'data');
  }

  /** Milliseconds of a phase that takes so many seconds at full length. */
  ms(seconds: number): number {
    return seconds * 1000 * this.options.scale;
  }

  set(name: string, value: number): void {
    this.figures.set(name, value);
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  /** Calls it when the scenario is over. */
  defer(cleanup: () => Promise<unknown>): void {
    this.#cleanups.push(cleanup);
  }

  /** A new empty folder, for what a scenario wants before the daemon starts. */
  async prepare(): Promise<string> {
    this.#folder ||= await mkdtemp(join(tmpdir(), 'tiercel-bench-'));
    await mkdir(this.dataFolder, { recursive: true });
    return this.#folder;
  }

  /** Opens the sinks and starts the daemon with an output for each. */
  async open(
    ways: readonly Way[],
    extra: Record<string, unknown> = {},
    env: Record<string, string> = {},
  ): Promise<readonly Sink[]> {
    await this.prepare();
    const tallies = ways.map(() => new Tally());
    this.#sinks = await Sinks.open(this.#run, ways, tallies);
    this.#load = new LoadGenerator({
      run: this.#run,
      ledger: this.ledger.buffers,
      tallies: tallies.map(tally => tally.buffers),
    });
    this.#outputs = this.sinks.map(({ kind, url }, index) => ({
      kind,
      url,
      settings: ways[index]!.settings,
    }));
    this.#ports = { alerts: await freePort(), health: 0 };
    this.#ports.health = this.options.system.dialect === 'benthos' ? await freePort() : this.#ports.alerts;
    await this.start(extra, env);
    return this.sinks;
  }

  /** Starts the daemon, again after it was stopped, on the same data. */
  async start(extra: Record<string, unknown> = {}, env: Record<string, string> = {}): Promise<void> {
    const { system } = this.options;
    const config = join(this.#folder, 'config.yaml');
    const values = { config, dir: this.dataFolder, port: String(this.#ports.alerts) };
    const text = configFor({ ...system, extra: { ...extra, ...system.extra } }, this.#ports, this.#outputs);
    await writeFile(config, text);
    this.#daemon = await DaemonProcess.start({
      words: fillIn(system.words, values),
      folder: this.#folder,
      // Others than Tiercel pass over these.
      env: { SPOOL_PATH: this.dataFolder, LOG_LEVEL: 'warn', ...env },
      healthPort: this.#ports.health,
      healthPath: healthPath(system.dialect),
    });
  }

  /** Sends a phase of alerts. */
  load(phase: PhaseOptions): Promise<LoadResult> {
    return this.#load!.run({
      port: this.#ports.alerts,
      connections: CONNECTIONS,
      perSecond: 0,
      window: 0,
      isAwake: false,
      ...phase,
    });
  }

  /** The way of the alerts goes first without being measured: compilers, heaps and connections have to settle. */
  async warmUp(phase: Partial<LoadPhase> = {}, sinks = this.sinks): Promise<void> {
    const result = await this.load({ durationMs: this.options.warmUpMs, ...phase });
    await this.drain(sinks, result, { withinMs: 10_000, idleMs: 2000 });
  }

  /** What the daemon uses while something goes on; notes what others took of the machine, in percent of all of it. */
  async measure<T>(prefix: string, what: () => Promise<T>): Promise<T & { usage: Usage }> {
    const before = { cpu: this.daemon.cpuSeconds(), busy: machineBusySeconds(), own: process.cpuUsage() };
    const startMs = nowMs();
    const result = await what();
    const seconds = (nowMs() - startMs) / 1000;
    const own = process.cpuUsage(before.own);
    const cpuSeconds = this.daemon.cpuSeconds() - before.cpu;
    const others = machineBusySeconds() - before.busy - cpuSeconds - (own.user + own.system) / 1e6;
    this.set(`${prefix}other_cpu_pct`, Math.max(0, (100 * others) / seconds / availableParallelism()));
    return { ...result, usage: { cpuSeconds, seconds } };
  }

  /** Waits until what was acknowledged has arrived, or nothing has come for a while. */
  async drain(
    sinks: readonly Sink[],
    span: Span,
    { withinMs, idleMs }: { withinMs: number; idleMs: number },
  ): Promise<void> {
    const startMs = nowMs();
    let seen = -1;
    let seenMs = startMs;
    while (nowMs() - startMs < withinMs) {
      if (sinks.every(({ tally }) => tally.lostOf(this.ledger, span) === 0)) return;
      const moved = sinks.reduce(
        (sum, { tally }) => sum + tally.count('delivered') + tally.count('failed'),
        0,
      );
      if (moved !== seen) {
        seen = moved;
        seenMs = nowMs();
      } else if (nowMs() - seenMs > idleMs) return;
      await sleep(POLL_MS);
    }
  }

  /** The figures of what the daemon took. */
  reportIngest(prefix: string, result: LoadResult): void {
    this.set(`${prefix}accepted_per_s`, (result.accepted * 1000) / result.elapsedMs);
    this.set(`${prefix}answer_p50_ms`, percentile(result.latencies, 0.5));
    this.set(`${prefix}answer_p99_ms`, percentile(result.latencies, 0.99));
    for (const name of ['refused', 'errors', 'unsent'] as const) {
      if (result[name] > 0) this.set(prefix + name, result[name]);
    }
  }

  /** The figures of what arrived; percentiles are those of the middle and of the slowest sink. */
  reportArrival(prefix: string, sinks: readonly Sink[], result: LoadResult): void {
    const total = (each: (sink: Sink) => number) => sinks.reduce((sum, sink) => sum + each(sink), 0);
    const share = (part: number) =>
      sinks.map(({ tally }) => percentile(tally.latenciesOf(result), part)).sort((a, b) => a - b);
    this.set(`${prefix}acknowledged`, result.accepted);
    this.set(
      `${prefix}delivered`,
      total(({ tally }) => tally.deliveredIn(result)),
    );
    this.set(
      `${prefix}lost`,
      total(({ tally }) => tally.lostOf(this.ledger, result)),
    );
    this.set(
      `${prefix}duplicates`,
      total(({ tally }) => tally.count('duplicates')),
    );
    this.set(`${prefix}e2e_p50_ms`, share(0.5)[sinks.length >> 1]!);
    const slow = share(0.99);
    this.set(`${prefix}e2e_p99_ms`, slow[slow.length >> 1]!);
    if (slow.length > 1) this.set(`${prefix}e2e_p99_slowest_ms`, slow.at(-1)!);
    for (const { kind, tally } of sinks) {
      const unmarked = tally.count('unmarked');
      if (unmarked > 0) this.note(`${kind}: ${unmarked} requests without an alert in them`);
    }
  }

  /** Plays on a stage of its own; its figures get the prefix here. */
  async apart(prefix: string, play: (stage: Stage) => Promise<void>): Promise<void> {
    const inner = new Stage(this.options);
    try {
      await play(inner);
    } finally {
      await inner.close();
    }
    for (const [name, value] of inner.figures) this.set(prefix + name, value);
    for (const text of inner.notes) this.note(text);
  }

  /** A certificate for HTTPS sinks, made with the openssl command. */
  async certificate(): Promise<{ cert: string; key: string }> {
    const folder = await this.prepare();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    await run('openssl', ['req', '-x509', ...made, '-subj', '/CN=localhost', '-keyout', key, '-out', cert]);
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  }

  async close(): Promise<void> {
    if (this.#daemon && !this.#daemon.isRunning) this.note('the daemon had ended by itself');
    await this.#daemon?.stop('SIGTERM');
    await Promise.all([this.#sinks?.close(), this.#load?.close()]);
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
    if (this.options.keep) this.note(`kept: ${this.#folder}`);
    else if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }
}
