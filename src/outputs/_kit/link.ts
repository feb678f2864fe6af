/** The one connection of an output: opened when first needed, kept, and opened anew after it broke. */
import type { Cancellation } from '../../core/contract.ts';
import { type PermanentError, RetriableError } from '../../core/errors.ts';
import { untilAborted } from './settle.ts';

/** A connection as its keeper needs it. */
export interface Link {
  /** Aborted when the connection is of no more use; its reason is the failure. */
  readonly lost: AbortSignal;
  /** The server has said that it takes nothing at present: no answer is then no reason to give it up. */
  readonly paused?: boolean;
  /** Hangs up when all is written. */
  close(): Promise<void>;
  /** Hangs up now: what is under way fails, and `lost` aborts. */
  destroy(): void;
}

/** Longest opening: two ways to connect, with and without TLS, of 5 s each. */
const OPEN_MS = 10_000;

/** Reconnecting takes no timer of its own: the core tries again, with growing pauses, and that opens a connection. */
export class LinkKeeper<L extends Link> implements Links<L> {
  readonly #open: (signal: AbortSignal) => Promise<L>;
  #closed = false;
  #opening: Promise<L> | undefined;
  /** Ends the last opening. One for each, so that what was opened and lost leaves nothing on a signal that lives on. */
  #giveUp = new AbortController();

  /**
   * @param open connects once and makes all ready, or fails in our terms. It stops when the signal aborts: the output is
   *   closed, or 10 s were too little. A link that comes after those is destroyed.
   */
  constructor(open: (signal: AbortSignal) => Promise<L>) {
    this.#open = open;
  }

  /**
   * Runs work on the connection. Work has to end when the connection is lost, which it knows best how (see `unlessLost`).
   * A connection that gave no answer in the time of a try is given up, because whatever it still does would be done twice.
   * @throws what `open` or the work throws; RetriableError with reason `timeout` when the signal aborted
   */
  async use<T>(work: (link: L) => Promise<T>, signal: Cancellation): Promise<T> {
    const link = await untilAborted(this.#connect(), signal);
    try {
      return await untilAborted(work(link), signal);
    } catch (error) {
      if (signal.aborted && !link.paused) link.destroy();
      throw error;
    }
  }

  /** Safe twice. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#closed = true;
    this.#giveUp.abort();
    await opening?.then(
      link => link.close(),
      () => undefined,
    );
  }

  #connect(): Promise<L> {
    if (this.#opening) return this.#opening;
    if (this.#closed) {
      return Promise.reject(new RetriableError('the output is closed', { reason: 'other' }));
    }
    const opening = this.#openInTime();
    const forget = () => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    this.#opening = opening;
    opening.then(({ lost }) => {
      if (lost.aborted) forget();
      else lost.addEventListener('abort', forget, { once: true });
    }, forget);
    return opening;
  }

  /** A server that takes the connection and then says nothing must not keep a try from the next one. */
  #openInTime(): Promise<L> {
    const giveUp = new AbortController();
    this.#giveUp = giveUp;
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new RetriableError('the server does not answer', { reason: 'timeout' }));
        giveUp.abort();
      }, OPEN_MS);
      this.#open(giveUp.signal)
        .then(link => {
          if (late) link.destroy();
          else resolve(link);
        }, reject)
        .finally(() => clearTimeout(timer));
    });
  }
}

/** What lends the kept link out, as LinkKeeper does. */
export interface Links<L> {
  use<T>(work: (link: L) => Promise<T>, signal: Cancellation): Promise<T>;
}

/** Tells what became of an item, by its place: a failure, or nothing when the far side has accepted it. */
export type Tell = (index: number, failure?: RetriableError | PermanentError) => void;

/**
 * Sends a batch over the kept link. What was accepted before the try ended counts, whatever becomes of the rest: sent
 * again with it, it would arrive at every try of a batch that takes longer than one.
 * @param send tells of each item as soon as its outcome is known
 * @param allWhenLost when the connection is lost, what was accepted goes again too: a server that ends may lose what it
 *   has just accepted
 * @returns what failed, by its place, for `settle`
 */
export async function sendAll<L>(
  links: Links<L>,
  count: number,
  send: (link: L, tell: Tell) => Promise<unknown>,
  signal: Cancellation,
  { allWhenLost = false } = {},
): Promise<Map<number, RetriableError | PermanentError>> {
  const failed = new Map<number, RetriableError | PermanentError>();
  const waiting = new Set(Array(count).keys());
  const tell: Tell = (index, failure) => {
    // Once the try has ended nobody listens any more.
    if (signal.aborted) return;
    waiting.delete(index);
    if (failure) failed.set(index, failure);
  };
  try {
    await links.use(link => send(link, tell), signal);
  } catch (error) {
    const again = allWhenLost && !signal.aborted ? Array(count).keys() : waiting;
    for (const index of again) failed.set(index, error as RetriableError);
  }
  return failed;
}

/**
 * Sends items side by side, as `sendAll` does.
 * @param send resolves once the far side has accepted the item; fails in our terms
 */
export function sendEach<L, T>(
  links: Links<L>,
  items: readonly T[],
  send: (link: L, item: T) => Promise<void>,
  signal: Cancellation,
): Promise<Map<number, RetriableError | PermanentError>> {
  const sendThem = (link: L, tell: Tell) =>
    Promise.all(items.map(async (item, index) => tell(index, await send(link, item).catch(error => error))));
  return sendAll(links, items.length, sendThem, signal);
}

/** Settles as the work does, or rejects with the reason of `lost` as soon as that aborts; the work goes on unheard. */
export function unlessLost<T>(work: Promise<T>, lost: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(lost.reason);
    if (lost.aborted) fail();
    lost.addEventListener('abort', fail, { once: true });
    work.then(resolve, reject).finally(() => lost.removeEventListener('abort', fail));
  });
}

/** Hangs up once goodbye has been said to the server, or when that takes too long. Never rejects. */
export async function hangUp(link: Link, goodbye: () => Promise<unknown>, withinMs: number): Promise<void> {
  const late = setTimeout(() => link.destroy(), withinMs);
  try {
    await goodbye();
  } catch {
    // A connection that is broken already takes no goodbye.
  }
  clearTimeout(late);
  link.destroy();
}
