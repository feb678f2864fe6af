/** The connections that are kept: each serves one mail at a time. */
import type { Cancellation } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { toFailure } from './failures.ts';
import type { Session } from './session.ts';

/** Servers end an idle session after five minutes (RFC 5321, section 4.5.3.2.7), many of them sooner. */
const IDLE_MS = 60_000;

export class Sessions {
  readonly #open: (signal: Cancellation) => Promise<Session>;
  readonly #idle = new Map<Session, NodeJS.Timeout>();
  #closed = false;

  constructor(open: (signal: Cancellation) => Promise<Session>) {
    this.#open = open;
  }

  /**
   * Lends a session to work. A kept one may turn out to be dead, then the next is tried; one that ends with a mail under
   * way is none of those.
   * @throws RetriableError | PermanentError
   */
  async use<T>(work: (session: Session) => Promise<T>, signal: Cancellation): Promise<T> {
    for (;;) {
      const kept = this.#take();
      try {
        const session = kept ?? (await this.#open(signal));
        const result = await work(session);
        this.#keep(session);
        return result;
      } catch (error) {
        kept?.close();
        const failure = toFailure(error);
        const isLost = failure instanceof RetriableError && failure.reason === 'network';
        if (!kept || kept.hasGivenMail || !isLost || signal.aborted) throw failure;
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (let session = this.#take(); session; session = this.#take()) session.close();
  }

  #take(): Session | undefined {
    const session = [...this.#idle.keys()].at(-1);
    if (session) this.#forget(session);
    return session;
  }

  #keep(session: Session): void {
    if (session.ended.aborted) return;
    if (this.#closed) {
      session.close();
      return;
    }
    const timer = setTimeout(() => {
      this.#forget(session);
      session.close();
    }, IDLE_MS).unref();
    this.#idle.set(session, timer);
    session.ended.addEventListener('abort', () => this.#forget(session), { once: true });
  }

  #forget(session: Session): void {
    clearTimeout(this.#idle.get(session));
    this.#idle.delete(session);
  }
}
