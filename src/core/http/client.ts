/**
 * The one way out over HTTP: keep-alive pools with the output's TLS, proxy and headers. Reads every answer to its end,
 * so that connections are used again. Tunnels through proxies are undici's.
 */
import type { ConnectionConfig } from '../config/types.ts';
import type { Cancellation, HttpClient, HttpRequest, HttpResponse, ServerTls } from '../contract.ts';
import { RetriableError } from '../errors.ts';
import { ClientTls } from './client-tls.ts';
import { Exchange } from './exchange.ts';
import { toHttpFailure } from './failures.ts';
import { basicAuthorization, parseTarget, redirection, type Target } from './origin.ts';
import { type ProxyEnvironment, proxyFor } from './proxy.ts';
import { customHeaders, isPortable, NO_HEADERS, wireHeaders } from './request-headers.ts';
import { openTunnel } from './tunnel.ts';
import type { AnswerHandler } from './wire/connection.ts';
import { WirePool } from './wire/pool.ts';
import type { WireRequest } from './wire/request.ts';

export interface HttpClientOptions {
  connection: ConnectionConfig & ServerTls;
  /** Connections per host: as many as there are sends at once. */
  connections: number;
  /** Where the proxy variables are read from. */
  env?: ProxyEnvironment;
  connectTimeoutMs?: number;
  /** Longest silence within the body of an answer. */
  bodyTimeoutMs?: number;
}

/** Below the idle limits of common servers and load balancers (60 s and up); a server's own hint goes first. */
const KEEP_ALIVE_MS = 30_000;
const MAX_REDIRECTS = 3;
/** Hosts of one output at once; an output that takes its host from alerts must not pile up pools. */
const MAX_POOLS = 32;
const MAX_TARGETS = 256;

/** One request on its way to one origin. */
interface Call {
  target: Target;
  request: HttpRequest;
  /** The output's headers and the configured ones, those left that may go to this origin. */
  own: Readonly<Record<string, string>>;
  custom: ReadonlyMap<string, string>;
  until: Cancellation;
}

/** Sends requests to one origin. */
export interface HttpDispatcher {
  /** @throws WireError and others that `toHttpFailure` knows, when the request cannot be sent at all */
  dispatch(request: WireRequest, handler: AnswerHandler): void;
  /** Lets what is under way end. */
  close(): void;
  destroy(): void;
}

/** What a request to an origin goes through. */
interface Route {
  dispatcher: HttpDispatcher;
  /** For a proxy that is asked for plain HTTP: the request line holds the whole URL. */
  absolute: { host: string; headers: readonly string[] } | undefined;
}

/**
 * @throws Error when TLS files cannot be read or a custom header cannot be sent
 */
export function createHttpClient(options: HttpClientOptions): HttpClient & { close(): Promise<void> } {
  return new PooledClient(options);
}

class PooledClient implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #env: ProxyEnvironment;
  readonly #tls: ClientTls;
  /** Custom headers, lower case; they win over the output's. */
  readonly #headers: ReadonlyMap<string, string>;
  readonly #routes = new Map<string, Route>();
  readonly #targets = new Map<string, Target>();
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#env = options.env ?? process.env;
    this.#tls = new ClientTls(options.connection);
    this.#headers = customHeaders(options.connection.headers);
  }

  async send(unsigned: HttpRequest, until: Cancellation): Promise<HttpResponse> {
    const request = unsigned.sign ? await unsigned.sign(this.#customised(unsigned), until) : unsigned;
    let target = this.#target(request.url);
    let headers: Readonly<Record<string, string>> = request.headers;
    let custom: ReadonlyMap<string, string> = unsigned.sign ? NO_HEADERS : this.#headers;
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once({ target, request, own: headers, custom, until });
      const next = redirects < MAX_REDIRECTS ? redirection(answer, target) : undefined;
      if (next === undefined) return answer;
      const moved = this.#target(next);
      if (moved.origin !== target.origin) {
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => isPortable(name)));
        custom = new Map([...custom].filter(([name]) => isPortable(name)));
      }
      target = moved;
    }
  }

  /** With the configured headers among its own, where a signature covers them. */
  #customised(request: HttpRequest): HttpRequest {
    return { ...request, headers: { ...request.headers, ...Object.fromEntries(this.#headers) } };
  }

  /** Safe to call twice. Requests under way are ended: who closes has waited for those that matter. */
  async close(): Promise<void> {
    this.#closed = true;
    const routes = [...this.#routes.values()];
    this.#routes.clear();
    for (const { dispatcher } of routes) dispatcher.destroy();
  }

  #once({ target, request, own, custom, until }: Call): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const headers = wireHeaders(target, own, custom);
      const exchange = new Exchange({
        target,
        headers,
        until,
        maxAnswerBytes: request.maxAnswerBytes,
        resolve,
        reject,
      });
      if (!exchange.start()) return;
      try {
        const { dispatcher, absolute } = this.#route(target);
        if (absolute) {
          if (!headers.includes('host')) headers.push('host', absolute.host);
          headers.push(...absolute.headers);
        }
        dispatcher.dispatch(
          {
            path: absolute ? target.origin + target.path : target.path,
            method: request.method,
            headers,
            body: request.body,
          },
          exchange,
        );
      } catch (error) {
        exchange.fail(toHttpFailure(error, target.origin));
      }
    });
  }

  #target(text: string): Target {
    const known = this.#targets.get(text);
    if (known) return known;
    const target = parseTarget(text);
    if (this.#targets.size >= MAX_TARGETS) this.#targets.clear();
    this.#targets.set(text, target);
    return target;
  }

  #route(target: Target): Route {
    const known = this.#routes.get(target.origin);
    if (known) return known;
    if (this.#closed) throw new RetriableError('the client is closed', { reason: 'other' });
    if (this.#routes.size >= MAX_POOLS) {
      const [oldest, route] = this.#routes.entries().next().value!;
      this.#routes.delete(oldest);
      // What is under way there may end first.
      route.dispatcher.close();
    }
    const route = this.#connect(target);
    this.#routes.set(target.origin, route);
    return route;
  }

  #connect(target: Target): Route {
    const proxy = proxyFor(target.url, this.#env, this.#options.connection.proxy);
    if (!proxy) return { dispatcher: this.#pool(target.url), absolute: undefined };
    const token = basicAuthorization(proxy);
    if (target.url.protocol === 'http:' && proxy.protocol !== 'socks5:') {
      return {
        dispatcher: this.#pool(proxy),
        absolute: { host: target.url.host, headers: token ? ['proxy-authorization', token] : [] },
      };
    }
    const { connections } = this.#options;
    const dispatcher = openTunnel(target.origin, {
      proxy,
      token,
      connections,
      tls: () => this.#tls.options(),
      ...this.#limits,
    });
    return { dispatcher, absolute: undefined };
  }

  #pool(origin: URL): WirePool {
    const { connections } = this.#options;
    return new WirePool({ origin, connections, tls: () => this.#tls.options(), ...this.#limits });
  }

  get #limits() {
    return {
      keepAliveMs: KEEP_ALIVE_MS,
      connectTimeoutMs: this.#options.connectTimeoutMs ?? 10_000,
      bodyTimeoutMs: this.#options.bodyTimeoutMs ?? 3_000,
    };
  }
}
