/** The outputs at work: one worker each, started, replaced and stopped as the configuration says. */
import type { Alert } from './alert.ts';
import type { OutputInstance } from './config/types.ts';
import type { Clock, Logger, Output } from './contract.ts';
import type { DeliveryObserver, OutputStatus } from './delivery/contract.ts';
import { OutputWorker } from './delivery/worker.ts';
import type { TestOutcome } from './http/backend.ts';
import { replayEntries } from './replay.ts';
import { compileFilter } from './route.ts';
import type { Delivery, Entry, Spool } from './spool/contract.ts';

export interface FleetOptions {
  spool: Spool;
  clock: Clock;
  log: Logger;
  observer: DeliveryObserver;
  /** Opens an output with all that it needs. */
  open(instance: OutputInstance): Promise<Output>;
  /** Masks secrets in what errors say. */
  mask(text: string): string;
  /** How long a worker that is replaced may take to finish what is in flight. */
  graceMs: number;
}

interface Member {
  instance: OutputInstance;
  worker: OutputWorker;
  accepts(alert: Alert): boolean;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Map<string, Member>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Makes the fleet what the instances say: unchanged outputs go on untouched, the others are stopped and started. */
  async reconcile(instances: readonly OutputInstance[]): Promise<{ started: string[]; stopped: string[] }> {
    const wanted = new Map(instances.map(instance => [instance.id, instance]));
    const leaving = [...this.#members.values()].filter(
      member => wanted.get(member.instance.id)?.fingerprint !== member.instance.fingerprint,
    );
    await Promise.all(leaving.map(member => member.worker.stop(this.#options.graceMs)));
    for (const { instance, worker } of leaving) {
      const { depth } = worker.status();
      this.#members.delete(instance.id);
      if (!wanted.has(instance.id) && depth > 0) {
        this.#options.log.warn(
          { output: instance.id, alerts: depth },
          'output removed with alerts not delivered',
        );
      }
    }
    const started = instances.filter(instance => !this.#members.has(instance.id));
    for (const instance of started) this.#start(instance);
    this.#options.spool.retain([...wanted.keys()]);
    return { started: started.map(({ id }) => id), stopped: leaving.map(({ instance }) => instance.id) };
  }

  status(): OutputStatus[] {
    return [...this.#members.values()].map(member => member.worker.status());
  }

  has(id: string): boolean {
    return this.#members.has(id);
  }

  /** Sends an alert past the log, one try at each output (or the one named). */
  test(alert: Alert, id: string | undefined, signal: AbortSignal): Promise<TestOutcome[]> {
    const chosen = [...this.#members.values()].filter(
      member => id === undefined || member.instance.id === id,
    );
    return Promise.all(
      chosen.map(async ({ instance, worker }) => {
        const startedAt = this.#options.clock.now();
        const outcome = (error?: unknown): TestOutcome => ({
          output: instance.id,
          ok: error === undefined,
          durationMs: this.#options.clock.now() - startedAt,
          ...(error !== undefined && { error: (error as Error).message }),
        });
        return worker.sendNow(alert, signal).then(() => outcome(), outcome);
      }),
    );
  }

  /**
   * Queues deliveries behind the replays of that output that are already under way.
   * @throws RangeError for an unknown output
   */
  replay(id: string, deliveries: AsyncIterable<Delivery>, total?: number): void {
    this.#member(id)
      .worker.replay(deliveries, total)
      .catch(error => this.#options.log.error({ output: id, err: error }, 'replay ended early'));
  }

  /**
   * Queues those entries of the log that are for the output.
   * @throws RangeError for an unknown output
   */
  replayEntries(id: string, entries: AsyncIterable<Entry>): void {
    const { accepts } = this.#member(id);
    const { spool, clock } = this.#options;
    this.replay(id, replayEntries(id, filter(entries, accepts), spool.deadLetters, clock));
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#members.values()].map(member => member.worker.stop(graceMs)));
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (!member) throw new RangeError(`there is no output called ${id}`);
    return member;
  }

  #start(instance: OutputInstance): void {
    const { spool, clock, log, observer, open, mask } = this.#options;
    const { takes, filtersTestRule } = instance.definition;
    const wanted = compileFilter({ ...instance, filtersTestRule });
    const accepts = takes ? (alert: Alert) => takes(alert) && wanted(alert) : wanted;
    const worker = new OutputWorker({
      instance,
      accepts,
      open: () => open(instance),
      consumer: spool.consumer(instance.id, instance.delivery.from),
      sharedLimit: ready => spool.sharedLimit?.(instance.id, instance.delivery.rateLimit, ready),
      deadLetters: spool.deadLetters,
      clock,
      log,
      observer,
      mask,
    });
    this.#members.set(instance.id, { instance, worker, accepts });
    worker.start();
  }
}

async function* filter(
  entries: AsyncIterable<Entry>,
  accepts: (alert: Alert) => boolean,
): AsyncGenerator<Entry> {
  for await (const entry of entries) if (accepts(entry.alert)) yield entry;
}
