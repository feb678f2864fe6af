/** An HTTP client that adds an access token to each request, and gets a new one in time. */
import type { Cancellation, Host, HttpClient, HttpRequest, HttpResponse } from '../../core/contract.ts';
import { untilAborted } from './settle.ts';

/** A new token is fetched this long before the old one ends, or after half of its life. */
const EARLY_MS = 5 * 60_000;
/** An old token is used no longer than this before its end. */
const LAST_USE_MS = 10_000;
/** How soon a new token is asked for again while the old one still serves. */
const AGAIN_MS = 30_000;

/** A token and how long it is good for. */
export interface AccessToken {
  text: string;
  lifetimeMs: number;
}

interface CachedToken {
  text: string;
  refreshAt: number;
  endsAt: number;
}

/** Nothing is asked for before the first request. */
export class BearerClient implements HttpClient {
  readonly #host: Pick<Host, 'http' | 'clock'>;
  readonly #ask: () => Promise<AccessToken>;
  #token: CachedToken | undefined;
  #asking: Promise<CachedToken> | undefined;

  /** @param ask gets a token, in a time of its own; what it throws is what `send` throws */
  constructor(host: Pick<Host, 'http' | 'clock'>, ask: () => Promise<AccessToken>) {
    this.#host = host;
    this.#ask = ask;
  }

  async send(request: HttpRequest, until: Cancellation): Promise<HttpResponse> {
    const known = this.#token;
    const token = await this.#current(until);
    const response = await this.#sendWith(token, request, until);
    // A token that was good may have been taken back; one that is new will not get better.
    if (response.status !== 401 || token !== known) return response;
    if (this.#token === token) this.#token = undefined;
    return this.#sendWith(await this.#current(until), request, until);
  }

  #sendWith({ text }: CachedToken, request: HttpRequest, until: Cancellation): Promise<HttpResponse> {
    const headers = { ...request.headers, authorization: `Bearer ${text}` };
    return this.#host.http.send({ ...request, headers }, until);
  }

  async #current(until: Cancellation): Promise<CachedToken> {
    const known = this.#token;
    const now = this.#host.clock.now();
    if (known && now < known.refreshAt) return known;
    // One question for all who wait; it outlives the one who asked first.
    this.#asking ??= this.#renew().finally(() => {
      this.#asking = undefined;
    });
    try {
      return await untilAborted(this.#asking, until);
    } catch (error) {
      if (until.aborted || !known || now >= known.endsAt - LAST_USE_MS) throw error;
      known.refreshAt = now + AGAIN_MS;
      return known;
    }
  }

  async #renew(): Promise<CachedToken> {
    const now = this.#host.clock.now();
    const { text, lifetimeMs } = await this.#ask();
    const refreshAt = now + lifetimeMs - Math.min(EARLY_MS, lifetimeMs / 2);
    this.#token = { text, refreshAt, endsAt: now + lifetimeMs };
    return this.#token;
  }
}
