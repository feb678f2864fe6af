/** The built daemon (or what TIERCEL_MAIN names) as a process of its own, and far ends that record what arrives. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { freePort } from '../support/services/process.ts';

/** Waits until something holds; fails with what was awaited. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await sleep(20);
  }
}

interface StartOptions {
  env?: Record<string, string>;
  /** Only the environment configures the daemon. */
  withoutFile?: boolean;
}

/** A daemon with a configuration and a data folder of its own; it can be killed and started again. */
export class TestDaemon {
  readonly dir = mkdtempSync(join(tmpdir(), 'tiercel-e2e-'));
  readonly configFile = join(this.dir, 'tiercel.yaml');
  readonly dataDir = join(this.dir, 'data');
  port = 0;
  logs = '';
  stdout = '';
  #child: ChildProcess | undefined;

  configure(config: Record<string, unknown>): void {
    // JSON is YAML.
    writeFileSync(
      this.configFile,
      JSON.stringify({
        listenaddress: '127.0.0.1',
        listenport: this.port,
        log: { level: 'info', format: 'json' },
        ...config,
        spool: { path: this.dataDir, ...(config.spool as object) },
      }),
    );
  }

  async start(config: Record<string, unknown>, options: StartOptions = {}) {
    this.port ||= await freePort();
    this.configure(config);
    return this.restart(options);
  }

  /** Starts the process with the configuration that is there; resolves when it answers. */
  async restart(options: StartOptions = {}): Promise<this> {
    const main = process.env.TIERCEL_MAIN ?? 'dist/main.js';
    const args = [main, ...(options.withoutFile ? [] : ['-c', this.configFile])];
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.on('data', chunk => {
      this.stdout += chunk;
    });
    child.stderr.on('data', chunk => {
      this.logs += chunk;
    });
    await until('the daemon answers', async () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}:\n${this.logs}`);
      return (await this.get('/ping').catch(() => undefined))?.status === 200;
    });
    return this;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What reads the daemon's standard output. */
  get stdoutReader(): Readable {
    return this.#child!.stdout!;
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(this.url + path);
    return { status: answer.status, text: await answer.text() };
  }

  async json<T>(path: string): Promise<T> {
    return JSON.parse((await this.get(path)).text) as T;
  }

  async post(alert: unknown): Promise<number> {
    const answer = await fetch(this.url, { method: 'POST', body: JSON.stringify(alert) });
    await answer.text();
    return answer.status;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Sends the signal and waits for the end; the exit code, or null when a signal ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child!;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  }

  async remove(): Promise<void> {
    if (this.#child) await this.end('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers 200 at once. */
export const healthy: Behaviour = (_request, response) => void response.end('ok');

/** An HTTP far end that notes the `n` field of each alert it has accepted (answered 200). */
export class Sink {
  /** Alert number → how often it arrived. */
  readonly received = new Map<number, number>();
  /** When each arrived first, in milliseconds since the epoch. */
  readonly arrivedAt = new Map<number, number>();
  requests = 0;
  behaviour: Behaviour = healthy;
  #server: Server | undefined;
  port = 0;

  async start(): Promise<this> {
    this.#server = createServer((request, response) => {
      this.requests++;
      const chunks: Buffer[] = [];
      request.on('data', chunk => chunks.push(chunk));
      request.on('error', () => {});
      request.on('end', () => this.behaviour(request, response));
      response.on('finish', () => {
        if (response.statusCode !== 200) return;
        const { output_fields } = JSON.parse(Buffer.concat(chunks).toString()) as {
          output_fields: { n: number };
        };
        this.received.set(output_fields.n, (this.received.get(output_fields.n) ?? 0) + 1);
        if (!this.arrivedAt.has(output_fields.n)) this.arrivedAt.set(output_fields.n, Date.now());
      });
    });
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get duplicates(): number {
    return [...this.received.values()].reduce((sum, times) => sum + times - 1, 0);
  }

  /** Those of the expected alerts that never arrived. */
  missing(expected: Iterable<number>): number[] {
    return [...expected].filter(n => !this.received.has(n));
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise(resolve => this.#server?.close(resolve) ?? resolve(undefined));
  }
}

/** An alert with a number in its fields, of about the usual size. */
export function numbered(n: number): Record<string, unknown> {
  return {
    time: new Date().toISOString(),
    rule: 'Numbered',
    priority: 'Warning',
    source: 'syscall',
    hostname: 'e2e',
    output: `alert number ${n} ${'x'.repeat(400)}`,
    output_fields: { n, 'k8s.ns.name': 'shop', 'proc.cmdline': 'bash -il '.repeat(20) },
    tags: ['e2e'],
  };
}

/** Posts numbered alerts at a steady rate; keeps those that were answered 2xx. */
export class Load {
  readonly acknowledged = new Set<number>();
  /** When each was posted, in milliseconds since the epoch. */
  readonly postedAt = new Map<number, number>();
  refused = 0;
  next = 0;
  readonly #pool: Pool;

  constructor(url: string) {
    this.#pool = new Pool(url, { connections: 16, headersTimeout: 10_000 });
  }

  /** Posts `count` alerts at `perSecond`, spread evenly; resolves when all are answered or have failed. */
  async run(count: number, perSecond: number, signal?: AbortSignal): Promise<void> {
    const startedAt = Date.now();
    const pending = new Set<Promise<void>>();
    for (let sent = 0; sent < count && !signal?.aborted; ) {
      const due = Math.min(count, Math.floor(((Date.now() - startedAt) / 1000) * perSecond) + 1);
      for (; sent < due; sent++) {
        const one = this.#post(this.next++).finally(() => pending.delete(one));
        pending.add(one);
      }
      await sleep(5);
    }
    await Promise.all(pending);
  }

  async #post(n: number): Promise<void> {
    this.postedAt.set(n, Date.now());
    try {
      const answer = await this.#pool.request({
        path: '/',
        method: 'POST',
        body: JSON.stringify(numbered(n)),
      });
      await answer.body.dump();
      if (answer.statusCode >= 200 && answer.statusCode < 300) this.acknowledged.add(n);
      else this.refused++;
    } catch {
      this.refused++;
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** The value below which the given share of the numbers lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * A daemon that is still to be started and two far ends for it.
 * @param cleanups gets what ends them
 */
export async function withTwoSinks(cleanups: (() => Promise<unknown>)[]): Promise<[TestDaemon, Sink, Sink]> {
  const [first, second] = await Promise.all([new Sink().start(), new Sink().start()]);
  const daemon = new TestDaemon();
  cleanups.push(
    () => daemon.remove(),
    () => first.stop(),
    () => second.stop(),
  );
  return [daemon, first, second];
}
