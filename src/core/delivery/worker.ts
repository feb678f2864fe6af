import type { Alert, Output } from '../contract.ts';
import { PartialError, RetriableError } from '../errors.ts';
import type { DeliveryObserver, OutputStatus } from './contract.ts';
import { toFailure } from './failure.ts';
import { openUntilItWorks, pause } from './opening.ts';
import type { OutputWorkerOptions } from './options.ts';
import { Pump } from './pump.ts';
import type { Replayable } from './replay.ts';

const OPEN_TIMEOUT_MS = 30_000;
/** How long an output may take to close. */
const MAX_CLOSE_MS = 5_000;
/** The same where the grace time is over. */
const MIN_CLOSE_MS = 1_000;

/** One output at work, from its opening to its close: its pump, its replays one after the other, its status. */
export class OutputWorker {
  readonly #options: OutputWorkerOptions;
  readonly #id: string;
  readonly #pump: Pump;
  /** Aborted when the output is not wanted any more. */
  readonly #life = new AbortController();
  #output: Output | undefined;
  #replays = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #closed = false;

  constructor(options: OutputWorkerOptions) {
    this.#options = options;
    this.#id = options.instance.id;
    this.#pump = new Pump(options);
  }

  /** Opens the output, however often it takes, and starts to deliver. */
  start(): void {
    const { instance, open, clock } = this.#options;
    const { retry, breaker, timeoutMs } = instance.delivery;
    const { settlement } = this.#pump;
    void openUntilItWorks({
      open,
      clock,
      signal: this.#life.signal,
      minMs: retry.minMs,
      maxMs: breaker.maxMs,
      timeoutMs: Math.max(OPEN_TIMEOUT_MS, timeoutMs),
      failed: (error, retryInMs) => {
        const { reason, message } = settlement.noteOpening(error);
        settlement.log.opening(reason, message, retryInMs);
      },
    }).then(output => {
      if (!output) return;
      this.#output = output;
      if (this.#life.signal.aborted) return this.#closeOutput();
      settlement.log.recovered();
      this.#pump.run(output);
    });
  }

  /**
   * Takes no more alerts, lets the tries in flight finish within the grace time, then aborts them and closes the output.
   * What is not settled by then is handed out again after the next start. Never rejects; safe to call twice.
   */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    const { clock, consumer } = this.#options;
    const deadline = clock.monotonic() + graceMs;
    this.#life.abort();
    await this.#pump.halt(graceMs);
    consumer.close();
    await this.#closeOutput(Math.min(MAX_CLOSE_MS, Math.max(MIN_CLOSE_MS, deadline - clock.monotonic())));
    this.#closed = true;
  }

  async #closeOutput(limitMs = MAX_CLOSE_MS): Promise<void> {
    const limit = new AbortController();
    try {
      await Promise.race([this.#output?.close?.(), pause(limitMs, limit.signal)]);
    } catch (error) {
      this.#options.log.warn(
        { output: this.#id, error: toFailure(error, this.#options.mask).message },
        'output did not close well',
      );
    } finally {
      limit.abort();
    }
  }

  status(): OutputStatus {
    const { instance, consumer, deadLetters, clock } = this.#options;
    const stats = consumer.stats();
    const { replay, breaker, settlement, window } = this.#pump;
    const { pausedUntil } = breaker;
    const clockZero = clock.now() - clock.monotonic();
    return {
      id: this.#id,
      type: instance.definition.name,
      state: this.#state(),
      breaker: breaker.state,
      pausedUntil: pausedUntil === undefined ? undefined : Math.round(clockZero + pausedUntil),
      depth: stats.depth,
      inFlight: Math.max(0, stats.inFlight - settlement.held),
      window: window.size,
      waiting: stats.waiting + settlement.held + (replay?.waiting ?? 0),
      oldestAt: stats.oldestAt,
      deadLetters: deadLetters?.count(this.#id) ?? 0,
      dropped: stats.dropped,
      lastSuccessAt: settlement.lastSuccessAt,
      lastFailureAt: settlement.lastFailureAt,
      lastError: settlement.lastError,
    };
  }

  #state(): OutputStatus['state'] {
    if (this.#closed) return 'stopped';
    return this.#life.signal.aborted ? 'stopping' : this.#pump.state;
  }

  /**
   * One try of an alert that is in no log, past queue, limits and breaker.
   * @throws RetriableError | PermanentError as the try fails
   */
  async sendNow(alert: Alert, signal: AbortSignal): Promise<void> {
    if (!this.#output) {
      const { lastError } = this.#pump.settlement;
      const why = lastError ? `: ${lastError}` : '';
      throw new RetriableError(`the output is not open yet${why}`, { reason: 'network' });
    }
    const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#options.instance.delivery.timeoutMs)]);
    const startedAt = this.#options.clock.monotonic();
    const tried = (outcome: Parameters<DeliveryObserver['tried']>[2]) =>
      this.#options.observer.tried(1, this.#options.clock.monotonic() - startedAt, outcome);
    try {
      await Promise.race([this.#output.send([alert], { signal: limit, attempt: 1 }), aborted(limit)]);
    } catch (error) {
      // Those not named in it were accepted.
      const isAccepted = error instanceof PartialError && !error.failed.has(0);
      if (!isAccepted) {
        const cause = error instanceof PartialError ? error.failed.get(0) : error;
        const failure = this.#pump.settlement.note(cause);
        tried(failure.reason);
        throw failure;
      }
    }
    tried('ok');
    this.#pump.breaker.hurry(this.#options.clock.monotonic());
    this.#pump.pump();
  }

  /**
   * Sends the alerts of another source through the same window, limits and breaker, taking turns with the log.
   * Resolves when all are settled. One replay at a time: a second one waits for the first.
   * @throws when the source fails or the worker stops; what is not settled stays with the source
   */
  replay(source: AsyncIterable<Replayable>): Promise<void> {
    const run = this.#replays.then(() => this.#pump.runReplay(source));
    this.#replays = run.catch(() => {});
    return run;
  }
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () =>
      reject(new RetriableError('no answer in time', { reason: 'timeout', cause: signal.reason }));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
