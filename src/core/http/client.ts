/**
 * The one way out over HTTP: keep-alive pools with the output's TLS, proxy and headers. Reads every answer to its end,
 * so that connections are used again. Those through a proxy's tunnel are undici's.
 */
import type { ConnectionConfig } from '../config/types.ts';
import type { Cancellation, HttpClient, HttpRequest, HttpResponse, ServerTls } from '../contract.ts';
import { RetriableError } from '../errors.ts';
import { ClientTls } from './client-tls.ts';
import type { HttpDispatcher } from './dispatcher.ts';
import { Exchange } from './exchange.ts';
import { toHttpFailure, toProxyRefusal } from './failures.ts';
import {
  basicAuthorization,
  keepsCredentials,
  parseTarget,
  redirection,
  type Target,
  withUserInfo,
} from './origin.ts';
import { type ProxyEnvironment, proxyFor, proxyName } from './proxy.ts';
import { customHeaders, hasHeader, isPortable, NO_HEADERS, wireHeaders } from './request-headers.ts';
import { openTunnel } from './tunnel.ts';
import { WirePool } from './wire/pool.ts';

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

/** One request on its way to one address. */
interface Call {
  url: string;
  request: HttpRequest;
  /** The output's headers and the configured ones, those left that may go to this origin. */
  own: Readonly<Record<string, string>>;
  custom: ReadonlyMap<string, string>;
  until: Cancellation;
  /** How many addresses have sent it on. */
  redirects: number;
}

/** What a request to an origin goes through. */
interface Route {
  dispatcher: HttpDispatcher;
  /** For a proxy that is asked for plain HTTP: the request line holds the whole URL. */
  absolute: { proxy: URL; host: string; headers: readonly string[] } | undefined;
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

  send(request: HttpRequest, until: Cancellation): Promise<HttpResponse> {
    if (request.sign) return this.#sendSigned(request, request.sign, until);
    const { url, headers } = request;
    return this.#follow({ url, request, own: headers, custom: this.#headers, until, redirects: 0 });
  }

  /** With the configured headers among its own: the signature covers them. */
  async #sendSigned(
    request: HttpRequest,
    sign: NonNullable<HttpRequest['sign']>,
    until: Cancellation,
  ): Promise<HttpResponse> {
    const headers = { ...request.headers, ...Object.fromEntries(this.#headers) };
    const signed = await sign({ ...request, headers }, until);
    const { url, headers: own } = signed;
    return this.#follow({ url, request: signed, own, custom: NO_HEADERS, until, redirects: 0 });
  }

  /** Safe to call twice. Requests under way are ended: who closes has waited for those that matter. */
  async close(): Promise<void> {
    this.#closed = true;
    const routes = [...this.#routes.values()];
    this.#routes.clear();
    for (const { dispatcher } of routes) dispatcher.destroy();
  }

  /** Sends a request, and again where the answer leads. */
  #follow(call: Call): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const { url, request, own, custom, until, redirects } = call;
      const target = this.#target(url);
      const headers = wireHeaders(target, own, custom);
      const exchange = new Exchange({
        target,
        headers,
        until,
        maxAnswerBytes: request.maxAnswerBytes,
        resolve: answer => {
          if (answer.status === 407) return reject(this.#proxyRefusal(target));
          const next = redirects < MAX_REDIRECTS ? redirection(answer, target) : undefined;
          resolve(next === undefined ? answer : this.#follow(redirected(call, target, next)));
        },
        reject,
      });
      if (!exchange.start()) return;
      try {
        const { dispatcher, absolute } = this.#route(target);
        if (absolute) {
          if (!hasHeader(headers, 'host')) headers.push('host', absolute.host);
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

  /** 407 is a proxy's own word (RFC 9110, 15.5.8): the target has seen nothing, and may take the alert later. */
  #proxyRefusal({ origin }: Target): RetriableError {
    const proxy = this.#routes.get(origin)?.absolute?.proxy;
    return toProxyRefusal(proxy ? proxyName(proxy) : `${origin}: a proxy before it`, 407);
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
        absolute: { proxy, host: target.url.host, headers: token ? ['proxy-authorization', token] : [] },
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

/** The same request to where an answer leads; another host gets no header that could hold a credential. */
function redirected(call: Call, from: Target, to: URL): Call {
  const redirects = call.redirects + 1;
  if (keepsCredentials(from.url, to)) return { ...call, url: withUserInfo(to, from.url).href, redirects };
  const own = Object.fromEntries(Object.entries(call.own).filter(([name]) => isPortable(name)));
  const custom = new Map([...call.custom].filter(([name]) => isPortable(name)));
  return { ...call, url: to.href, own, custom, redirects };
}
