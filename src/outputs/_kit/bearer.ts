/** An HTTP client that adds an access token to each request, and gets a new one in time. */
import type { Cancellation, Host, HttpClient, HttpRequest, HttpResponse } from '../../core/contract.ts';
import { createRenewed, type Renewed } from './renewed.ts';
import { untilAborted } from './settle.ts';

/** A token and how long it is good for. */
export interface AccessToken {
  text: string;
  lifetimeMs: number;
}

/** Nothing is asked for before the first request. */
export class BearerClient implements HttpClient {
  readonly #http: HttpClient;
  readonly #token: Renewed<string>;

  /** @param ask gets a token, in a time of its own; what it throws is what `send` throws */
  constructor({ http, clock }: Pick<Host, 'http' | 'clock'>, ask: () => Promise<AccessToken>) {
    this.#http = http;
    this.#token = createRenewed(async () => {
      const askedAt = clock.now();
      const { text, lifetimeMs } = await ask();
      return { value: text, endsAt: askedAt + lifetimeMs };
    }, clock.now);
  }

  async send(request: HttpRequest, until: Cancellation): Promise<HttpResponse> {
    const held = this.#token.held();
    const token = held ?? (await untilAborted(this.#token.get(), until));
    const response = await this.#sendWith(token, request, until);
    // A token that was good may have been taken back; one that is new will not get better.
    if (response.status !== 401 || held === undefined) return response;
    this.#token.drop(held);
    return this.#sendWith(await untilAborted(this.#token.get(), until), request, until);
  }

  #sendWith(token: string, request: HttpRequest, until: Cancellation): Promise<HttpResponse> {
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    return this.#http.send({ ...request, headers }, until);
  }
}
