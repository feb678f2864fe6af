/** The load generator as the scenario sees it: a thread of its own, told what to send. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Ledger, Span } from './ledger.ts';

export interface LoadPhase {
  /** Of this machine. */
  port: number;
  connections: number;
  durationMs: number;
  /**
   * Alerts per second, due at even times whether or not the answers before them have come. 0: each connection sends the
   * next alert as soon as the last one is answered.
   */
  perSecond: number;
  /** Without a rate: most alerts on their way to all sinks at once. 0: any number. */
  window: number;
  /**
   * Looks for answers without ever sleeping. A sender that sleeps is woken within the daemon's call that sends the
   * answer, in the daemon's time, as the kernel delivers over loopback at once; over a network that is not the daemon's.
   */
  isAwake: boolean;
}

export interface LoadResult extends Span {
  accepted: number;
  /** Answered with anything but 2xx. */
  refused: number;
  /** Not answered at all. */
  errors: number;
  /** Due, but every connection waited for its answer. */
  unsent: number;
  /** Times at which nothing arrived for two seconds although the window was full. */
  stalls: number;
  elapsedMs: number;
  /** Milliseconds from when an alert was due to its answer; in no order. */
  latencies: Float64Array;
}

export interface LoadWorkerData {
  run: number;
  ledger: Ledger['buffers'];
  /** Of the counts of the sinks, for the window. */
  tallies: { arrivedAt: SharedArrayBuffer; latency: SharedArrayBuffer; counts: SharedArrayBuffer }[];
}

export class LoadGenerator {
  readonly #worker: Worker;

  constructor(data: LoadWorkerData) {
    this.#worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData: data });
  }

  /** Sends a phase of alerts; resolves when all of them are answered or have failed. One at a time. */
  async run(phase: LoadPhase): Promise<LoadResult> {
    this.#worker.postMessage(phase);
    const [result] = (await once(this.#worker, 'message')) as [LoadResult];
    return result;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
