import type { Alert, Cancellation, Count, Host, Output, SendContext } from '../../../core/contract.ts';
import type { PermanentError, RetriableError } from '../../../core/errors.ts';
import { openDatagramSocket } from '../datagram-socket.ts';
import type { HostPort } from '../hostport.ts';
import {
  alertIncrements,
  countIncrements,
  type Increment,
  type Style,
  toDatagrams,
  toLines,
} from './lines.ts';

/** What goes through any Ethernet in one piece: "Multi-Metric Packets" in docs/metric_types.md of statsd. */
const MAX_BYTES = 1432;
/** Below the time that the core gives an output to close. */
const CLOSE_MS = 3000;

/** Many alerts make few lines. */
export const BATCH = { items: 1000, bytes: 4 * 2 ** 20, waitMs: 1000 };

export interface CountersOptions {
  forwarder: HostPort;
  style: Style;
  intervalMs: number;
  host: Host;
}

/**
 * Counts alerts as they are delivered, each once, and on a period what the daemon has counted since the last time. What
 * could not be sent is part of what is sent next.
 */
export class StatsdCounters implements Output {
  readonly #options: CountersOptions;
  readonly #socket: ReturnType<typeof openDatagramSocket>;
  readonly #timer: NodeJS.Timeout;
  /** The daemon's counts as they were sent last. */
  #sent: readonly Count[];
  /** One send after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #failing = false;
  #closed = false;

  constructor(options: CountersOptions) {
    this.#options = options;
    this.#socket = openDatagramSocket(options.forwarder);
    this.#sent = options.host.countedBefore ?? [];
    this.#timer = setInterval(() => {
      void this.#sendCounts(AbortSignal.timeout(options.intervalMs + CLOSE_MS));
    }, options.intervalMs).unref();
  }

  send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    return this.#inTurn(() => this.#emit(alertIncrements(alerts), signal));
  }

  probe(signal: Cancellation): Promise<void> {
    return this.#socket.probe(signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#sendCounts(AbortSignal.timeout(CLOSE_MS));
    this.#socket.close();
  }

  /** Never rejects. */
  #sendCounts(signal: Cancellation): Promise<void> {
    return this.#inTurn(async () => {
      const { host } = this.#options;
      const counts = host.counts?.() ?? [];
      const increments = countIncrements(this.#sent, counts);
      if (increments.length === 0) return;
      const startedAt = performance.now();
      const told = (outcome: 'ok' | RetriableError['reason']) =>
        host.sent?.(increments.length, performance.now() - startedAt, outcome);
      try {
        await this.#emit(increments, signal);
        this.#sent = counts;
        this.#failing = false;
        told('ok');
      } catch (error) {
        const { reason, message } = error as RetriableError | PermanentError;
        told(reason);
        const fields = { output: host.id, error: message };
        if (!this.#failing) host.log.warn(fields, 'metrics not sent; trying again');
        this.#failing = true;
      }
    });
  }

  async #emit(increments: readonly Increment[], signal: Cancellation): Promise<void> {
    const lines = increments.flatMap(increment => toLines(increment, this.#options.style));
    await this.#socket.send(toDatagrams(lines, MAX_BYTES), signal);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => {});
    return run;
  }
}
