/** The far ends as the scenario sees them: one thread with all sinks, told how each has to behave. */
import { Worker } from 'node:worker_threads';
import { nowMs } from './clock.ts';
import type { Tally } from './ledger.ts';
import type { HttpSinkKind } from './sink-answers.ts';

export type SinkKind = HttpSinkKind | 'nats' | 'kafka';

export interface SinkSpec {
  kind: SinkKind;
  /** PEM texts: speaks HTTPS. */
  tls?: { cert: string; key: string };
  /** `host:port` of the server whose messages are counted, for `nats` and `kafka`. */
  server?: string;
}

/** How an HTTP sink behaves from now on. */
export interface Behaviour {
  /** `failing` answers 500, `refusing` closes its port and all connections, `hanging` never answers. */
  mode: 'healthy' | 'failing' | 'refusing' | 'hanging';
  /** Milliseconds before each answer. */
  delayMs: number;
  /** Answers 429 with `Retry-After` until then, in milliseconds on the monotonic clock; 0: does not. */
  pauseUntilMs: number;
}

export interface SinkWorkerData {
  run: number;
  sinks: (SinkSpec & { tally: Tally['buffers'] })[];
}

export type ToSinks = { id: number; sink: number; behave: Behaviour };
export type FromSinks = { ports: number[] } | { done: number } | { error: string };

/** One of the sinks. */
export class Sink {
  readonly kind: SinkKind;
  readonly url: string;
  readonly tally: Tally;
  readonly #behave: (behaviour: Behaviour) => Promise<void>;
  #behaviour: Behaviour = { mode: 'healthy', delayMs: 0, pauseUntilMs: 0 };

  constructor(
    kind: SinkKind,
    url: string,
    { tally, behave }: { tally: Tally; behave: (to: Behaviour) => Promise<void> },
  ) {
    this.kind = kind;
    this.url = url;
    this.tally = tally;
    this.#behave = behave;
  }

  /** Changes how it behaves; resolves when it does. */
  async behave(change: Partial<Behaviour>): Promise<void> {
    this.#behaviour = { ...this.#behaviour, ...change };
    await this.#behave(this.#behaviour);
  }

  /** Asks for a pause from now on. */
  pause(seconds: number): Promise<void> {
    return this.behave({ pauseUntilMs: nowMs() + seconds * 1000 });
  }
}

/** All sinks of a run. */
export class Sinks {
  readonly all: readonly Sink[];
  readonly #worker: Worker;

  private constructor(worker: Worker, all: readonly Sink[]) {
    this.#worker = worker;
    this.all = all;
  }

  /** @throws Error when one of them cannot listen or connect */
  static async open(run: number, specs: readonly SinkSpec[], tallies: readonly Tally[]): Promise<Sinks> {
    const sinks = specs.map((spec, index) => ({ ...spec, tally: tallies[index]!.buffers }));
    const worker = new Worker(new URL('./sink-worker.ts', import.meta.url), {
      workerData: { run, sinks } satisfies SinkWorkerData,
    });
    const waiting = new Map<number, () => void>();
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    worker.on('message', (message: FromSinks) => {
      if ('ports' in message) resolve(message.ports);
      else if ('error' in message) reject(new Error(message.error));
      else waiting.get(message.done)?.();
    });
    worker.on('error', reject);
    let ports: number[];
    try {
      ports = await promise;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    let next = 0;
    const all = specs.map(({ kind, tls, server }, index) => {
      const url = server ?? `${tls ? 'https' : 'http'}://127.0.0.1:${ports[index]}`;
      const behave = (to: Behaviour) =>
        new Promise<void>(done => {
          const id = next++;
          waiting.set(id, done);
          worker.postMessage({ id, sink: index, behave: to } satisfies ToSinks);
        });
      return new Sink(kind, url, { tally: tallies[index]!, behave });
    });
    return new Sinks(worker, all);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
