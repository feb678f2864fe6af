/** The outputs at work: one worker each, started, replaced and stopped as the configuration says. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Alert } from './alert/alert.ts';
import { CarriedReplay } from './carried-replay.ts';
import { ClockJumps } from './clock-jumps.ts';
import type { OutputInstance } from './config/types.ts';
import type { Clock, Logger, Output } from './contract.ts';
import type { DeliveryObserver, OutputStatus } from './delivery/contract.ts';
import { toFailure } from './delivery/failure.ts';
import { OutputWorker } from './delivery/worker.ts';
import type { ReplayOutcome, TestOutcome } from './http-server/backend.ts';
import { replayEntries, replayLetters } from './replay.ts';
import { compileFilter } from './route.ts';
import type { DeadLetterFilter, Entry, ReadRange, Spool } from './spool/contract.ts';
import { allLetters } from './spool/letters/page.ts';

export interface FleetOptions {
  spool: Spool;
  clock: Clock;
  log: Logger;
  /** Who is told of what happens to an output's alerts. */
  observe(output: string): DeliveryObserver;
  /** Opens an output with all that it needs. */
  open(instance: OutputInstance): Promise<Output>;
  /** Masks secrets in what errors say. */
  mask(text: string): string;
  /** How long a change waits for the outputs that it stops. */
  patienceMs: number;
}

interface Member {
  instance: OutputInstance;
  worker: OutputWorker;
  /** Under way and queued, in their order. */
  replays: Set<CarriedReplay>;
  /** Why the last replay ended early, without secrets. */
  replayError?: string;
  /** Being stopped: resolves when its place is free, or another worker's that took over the replays. Never rejects. */
  leaving?: Promise<void>;
  /** It took longer to stop than anybody waited. */
  isLate: boolean;
  accepts(alert: Alert): boolean;
}

/** What a new set of instances changed. */
export interface Reconciliation {
  started: string[];
  stopped: string[];
  /** Those of `stopped` that still have tries in flight: what replaces them starts after these. */
  waiting: string[];
}

/** Knows the workers by their outputs' ids, and the replays that each has under way. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #jumps: ClockJumps;
  readonly #members = new Map<string, Member>();
  /** As the newest configuration has them. */
  #wanted: ReadonlyMap<string, OutputInstance> = new Map();
  #stopped = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#jumps = new ClockJumps(options.clock);
  }

  /**
   * Makes the fleet what the instances say: unchanged outputs go on untouched, the others are stopped and started. Each
   * by itself: one that hangs holds up no other, nor the next change.
   * @param graceMs how long a worker that is stopped may take to finish what is in flight
   */
  async reconcile(instances: readonly OutputInstance[], graceMs: number): Promise<Reconciliation> {
    this.#wanted = new Map(instances.map(instance => [instance.id, instance]));
    const started: string[] = [];
    const stopped = [...this.#members.values()].filter(
      ({ instance: { id, fingerprint }, leaving }) =>
        !leaving && this.#wanted.get(id)?.fingerprint !== fingerprint,
    );
    for (const member of stopped) {
      member.leaving = this.#leave(member, graceMs).then(next => void (next && started.push(next.id)));
    }
    for (const instance of instances) {
      if (this.#members.has(instance.id) || this.#stopped) continue;
      this.#start(instance);
      started.push(instance.id);
    }
    this.#retain();
    const waiting = await this.#left();
    return { started: [...started], stopped: stopped.map(({ instance }) => instance.id), waiting };
  }

  status(): OutputStatus[] {
    return [...this.#members.values()].map(({ worker, replays: [replay], replayError }) => ({
      ...worker.status(),
      ...(replay && { replay: replay.progress }),
      ...(replayError !== undefined && { replayError }),
    }));
  }

  /**
   * Sends an alert past the log, one try at each output (or the one named).
   * @throws RangeError for an unknown output
   */
  async test(alert: Alert, id: string | undefined, signal: AbortSignal): Promise<TestOutcome[]> {
    const chosen = id === undefined ? [...this.#members.values()] : [this.#member(id)];
    return Promise.all(
      chosen.map(async ({ instance, worker }) => {
        const startedAt = this.#options.clock.monotonic();
        const outcome = (error?: unknown): TestOutcome => ({
          output: instance.id,
          ok: error === undefined,
          durationMs: Math.round(this.#options.clock.monotonic() - startedAt),
          ...(error !== undefined && { error: (error as Error).message }),
        });
        return worker.sendNow(alert, signal).then(() => outcome(), outcome);
      }),
    );
  }

  /**
   * Queues the dead letters behind the replays of their outputs that are already under way. They go on with the worker
   * that replaces an output's worker.
   * @throws RangeError when the filter names an unknown output
   */
  async replayLetters(filter: DeadLetterFilter): Promise<ReplayOutcome> {
    const { spool, clock } = this.#options;
    const box = spool.deadLetters;
    if (filter.output !== undefined) this.#member(filter.output);
    const outcome = { queued: 0, skipped: 0 };
    for (const [output, count] of await box.tally(filter)) {
      if (this.#members.has(output)) {
        const letters = allLetters(box, { ...filter, output, limit: count });
        this.#replay(output, new CarriedReplay(replayLetters(letters, box, clock), count));
        outcome.queued += count;
      } else {
        outcome.skipped += count;
      }
    }
    return outcome;
  }

  /**
   * Queues those entries of a piece of the log, up to its end at present, that are for the output.
   * @throws RangeError for an unknown output
   */
  replayLog(id: string, range: ReadRange): void {
    const { spool, clock } = this.#options;
    this.#member(id);
    const entries = spool.read(range);
    // Asked each time: the output's filter may change under way.
    const accepts = (alert: Alert) => this.#members.get(id)?.accepts(alert) ?? false;
    const deliveries = replayEntries(id, only(entries, accepts), spool.deadLetters, clock);
    this.#replay(id, new CarriedReplay(deliveries, undefined));
  }

  /** Stops all, for good: nothing more is started, whatever a `reconcile` wanted. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    await Promise.all(
      [...this.#members.values()].map(({ leaving, worker }) => leaving ?? worker.stop(graceMs)),
    );
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (!member) throw new RangeError(`there is no output called ${id}`);
    return member;
  }

  #replay(id: string, replay: CarriedReplay): void {
    const member = this.#member(id);
    member.replays.add(replay);
    delete member.replayError;
    member.worker.replay(replay).then(
      () => member.replays.delete(replay),
      error => {
        // What comes after it takes the replay over, or there is nothing that could.
        if (member.leaving) return;
        member.replays.delete(replay);
        member.replayError = toFailure(error, this.#options.mask).message;
        this.#tellEndedEarly(id, member.replayError, replay);
      },
    );
  }

  #tellEndedEarly(output: string, error: string, replay: CarriedReplay): void {
    this.#options.log.warn({ output, error, ...replay.progress }, 'replay ended early');
  }

  /** Stops a worker, and starts what is wanted in its place by then. */
  async #leave(member: Member, graceMs: number): Promise<OutputInstance | undefined> {
    const { id } = member.instance;
    await member.worker.stop(graceMs);
    this.#members.delete(id);
    this.#retain();
    const next = this.#stopped ? undefined : this.#wanted.get(id);
    if (next) this.#start(next);
    if (member.isLate) {
      this.#options.log.info({ output: id, isReplaced: next !== undefined }, 'output has stopped at last');
    }
    for (const replay of member.replays) {
      if (next) this.#replay(id, replay);
      else this.#tellEndedEarly(id, 'the output was stopped', replay);
    }
    return next;
  }

  /** Waits for those that are being stopped; gives those that take longer. */
  async #left(): Promise<string[]> {
    const leaving = () => [...this.#members.values()].filter(member => member.leaving);
    const limit = new AbortController();
    await Promise.race([
      Promise.all(leaving().map(member => member.leaving)),
      pause(this.#options.patienceMs, undefined, { signal: limit.signal }).catch(() => {}),
    ]);
    limit.abort();
    return leaving().map(member => {
      member.isLate = true;
      return member.instance.id;
    });
  }

  /** Lets go of the places in the log of outputs that are neither wanted nor still at work. */
  #retain(): void {
    this.#options.spool.retain([...new Set([...this.#wanted.keys(), ...this.#members.keys()])]);
  }

  #start(instance: OutputInstance): void {
    const { spool, clock, log, observe, open, mask } = this.#options;
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
      jumps: this.#jumps,
      log,
      observer: observe(instance.id),
      mask,
    });
    this.#members.set(instance.id, { instance, worker, replays: new Set(), isLate: false, accepts });
    worker.start();
  }
}

async function* only(
  entries: AsyncIterable<Entry>,
  accepts: (alert: Alert) => boolean,
): AsyncGenerator<Entry> {
  for await (const entry of entries) if (accepts(entry.alert)) yield entry;
}
