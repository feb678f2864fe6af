/** The way of an alert from the request into the log. */
import { type Alert, type AlertDraft, sealAlert } from './alert/alert.ts';
import { type Entry, type ReadRange, type Spool, SpoolFaultError } from './spool/contract.ts';

const LOOK_AGAIN_MS = 1_000;

export interface PipelineOptions {
  spool: Spool;
  enrich(draft: AlertDraft): void;
  /** Told of each alert that was taken. */
  taken(alert: Alert): void;
}

export class Pipeline {
  readonly #spool: Spool;
  #enrich: (draft: AlertDraft) => void;
  #taken: (alert: Alert) => void;
  readonly #followers = new Set<() => void>();

  constructor(options: PipelineOptions) {
    this.#spool = options.spool;
    this.#enrich = options.enrich;
    this.#taken = options.taken;
  }

  /** Uses another enrichment from the next alert on. */
  reconfigure(options: Pick<PipelineOptions, 'enrich' | 'taken'>): void {
    this.#enrich = options.enrich;
    this.#taken = options.taken;
  }

  /**
   * Enriches, seals and appends. Undefined when the alerts are as durable as configured; otherwise resolves when they are.
   * @throws SpoolFullError | SpoolFaultError
   */
  take(drafts: readonly AlertDraft[]): Promise<void> | undefined {
    const alerts: Alert[] = [];
    for (const draft of drafts) {
      this.#enrich(draft);
      alerts.push(sealAlert(draft));
    }
    const durable = this.#spool.append(alerts);
    if (durable) return this.#counted(alerts, durable);
    this.#count(alerts);
    return undefined;
  }

  /** Entries of the log; with `follow` also those to come, until the signal aborts. */
  async *entries(range: ReadRange & { follow?: boolean }, signal: AbortSignal): AsyncGenerator<Entry> {
    let next = range.fromOffset;
    do {
      for await (const entry of this.#spool.read({ ...range, fromOffset: next })) {
        if (signal.aborted) return;
        yield entry;
        next = entry.offset + 1;
      }
      next ??= this.#spool.stats().nextOffset;
      if (range.follow && this.#spool.stats().nextOffset <= next) await this.#more(signal);
    } while (range.follow && !signal.aborted);
  }

  async #counted(alerts: readonly Alert[], durable: Promise<void>): Promise<void> {
    try {
      await durable;
    } catch (error) {
      // A disk that refuses does not keep the alerts from going out of memory.
      if (error instanceof SpoolFaultError && error.isTaken) this.#count(alerts);
      throw error;
    }
    this.#count(alerts);
  }

  #count(alerts: readonly Alert[]): void {
    for (const alert of alerts) this.#taken(alert);
    for (const wake of this.#followers) wake();
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      // Where several processes have one log, nobody tells of what the others have taken.
      const timer = setTimeout(() => done(), LOOK_AGAIN_MS);
      const done = () => {
        clearTimeout(timer);
        this.#followers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#followers.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}
