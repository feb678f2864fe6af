/** The HTTP server: takes alerts itself, has everything else answered by express. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { ServerConfig } from '../config/types.ts';
import type { Logger } from '../contract.ts';
import { isEnding, sendText } from './answer.ts';
import { Auth } from './auth.ts';
import type { Backend, IngestObserver } from './backend.ts';
import { FastLane } from './fast-lane.ts';
import { Handshakes } from './handshakes.ts';
import { Ingest, type Settings } from './ingest.ts';
import { applyLimits, bind, createListener } from './listener.ts';
import { answerProbe } from './probes.ts';
import { Refusals, type RefusedRequest } from './refusals.ts';
import { type Place, placeOf, splitTarget } from './target.ts';
import { loadTls, type TlsFiles, watchTls } from './tls.ts';

export interface ServerOptions {
  config: ServerConfig;
  backend: Backend;
  observer: IngestObserver;
  log: Logger;
  version: string;
}

/** Where the server listens. */
export interface Listening {
  address: string;
  port: number;
  /** The plain HTTP port beside TLS. */
  plainPort?: number;
}

export interface HttpServer {
  /**
   * Binds and starts to serve.
   * @throws Error with a sentence that says what is in the way: a port in use, a certificate that cannot be read
   */
  listen(): Promise<Listening>;
  /**
   * Takes no new connections, closes idle ones at once, lets requests in flight finish for at most `graceMs`
   * milliseconds. Safe to call twice.
   */
  close(graceMs: number): Promise<void>;
  /**
   * Uses new credentials, limits and TLS files from the next request or connection on.
   * @returns what changed and wants a restart, as words for a person; empty when all is in use
   * @throws Error when TLS files cannot be used; everything stays as it was
   */
  reconfigure(config: ServerConfig): string[];
  /** The last refusals, oldest first. */
  refusals(): RefusedRequest[];
}

export function createServer(options: ServerOptions): HttpServer {
  return new TiercelServer(options);
}

// A request may be on its way over a connection that has just been opened.
const UNUSED_GRACE_MS = 500;
const FAST_LANE_PATIENCE_MS = 1000;

type App = (request: IncomingMessage, response: ServerResponse) => void;

class TiercelServer implements HttpServer {
  readonly #options: ServerOptions;
  readonly #settings: Settings;
  readonly #refusals: Refusals;
  readonly #ingest: Ingest;
  readonly #fast: FastLane;
  readonly #stopping = new AbortController();
  readonly #shownPaths = new WeakMap<IncomingMessage, string>();
  /** Connections that no request has come over yet. */
  readonly #unused = new Set<Socket>();
  readonly #handshakes = new Handshakes();
  #servers: Server[] = [];
  #tlsWatch: { close(): void } | undefined;
  #plainPlaces: ReadonlySet<Place> = new Set();
  #app: App | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#settings = { config: options.config, auth: new Auth(options.config.auth) };
    this.#refusals = new Refusals(options.observer, options.log);
    this.#ingest = new Ingest({
      backend: options.backend,
      observer: options.observer,
      refusals: this.#refusals,
      settings: this.#settings,
      shownPath: request => this.#shownPath(request),
    });
    const ingest = this.#ingest;
    this.#fast = new FastLane({
      admits: head => ingest.admits(head),
      offer: (body, sender, answer) => ingest.offer(body, sender, answer),
      hold: bytes => ingest.hold(bytes),
      patienceMs: FAST_LANE_PATIENCE_MS,
      silenceMs: () => this.#settings.config.requestTimeoutMs,
      idleMs: () => this.#settings.config.keepAliveMs,
    });
  }

  async listen(): Promise<Listening> {
    const { config } = this.#settings;
    const tls = config.tls && loadTls(config.tls);
    this.#plainPlaces = new Set(config.tls?.plainPaths.filter(isServed).map(path => placeOf(path)));
    const withPlain = config.tls !== undefined && this.#plainPlaces.size > 0;
    const main = this.#serve(tls, place => (this.#plainPlaces.has(place) ? this.#elsewhere() : place));
    const plain = withPlain
      ? this.#serve(undefined, place => (this.#plainPlaces.has(place) ? place : undefined))
      : undefined;
    try {
      const { address, port } = await bind(main, config.address, config.port);
      const plainPort = plain && (await bind(plain, config.address, config.tls!.plainPort)).port;
      if (tls) this.#watch(main as https.Server, tls);
      return { address, port, ...(plainPort === undefined ? {} : { plainPort }) };
    } catch (error) {
      for (const server of this.#servers) server.close();
      this.#servers = [];
      throw error;
    }
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  reconfigure(config: ServerConfig): string[] {
    const { config: old } = this.#settings;
    const restart: string[] = [];
    if (config.address !== old.address || config.port !== old.port) restart.push('the address or port');
    if (Boolean(config.tls) !== Boolean(old.tls)) restart.push('TLS turned on or off');
    else if (config.tls && old.tls) {
      const mutual = Boolean(config.tls.clientCaFile) !== Boolean(old.tls.clientCaFile);
      if (mutual) restart.push('client certificates turned on or off');
      if (
        config.tls.plainPort !== old.tls.plainPort ||
        config.tls.plainPaths.join() !== old.tls.plainPaths.join()
      ) {
        restart.push('the plain HTTP port or its paths');
      }
      const main = this.#servers[0];
      if (!mutual && main instanceof https.Server)
        this.#swapTls(main, { ...old.tls, ...filesOf(config.tls) });
    }
    const kept = { address: old.address, port: old.port, tls: this.#settings.config.tls };
    this.#settings.config = { ...config, ...kept };
    this.#settings.auth = new Auth(config.auth);
    for (const server of this.#servers) applyLimits(server, config);
    return restart;
  }

  refusals(): RefusedRequest[] {
    return this.#refusals.list();
  }

  #serve(tls: TlsFiles | undefined, served: (place: Place) => Place | undefined): Server {
    const server = createListener({
      config: this.#settings.config,
      tls,
      refusals: this.#refusals,
      handle: (request, response, expectsContinue) =>
        this.#handle(request, response, expectsContinue, served),
      connected: socket => {
        this.#unused.add(socket);
        socket.once('close', () => this.#unused.delete(socket));
      },
      fast: served('/') === '/' ? this.#fast : undefined,
    });
    if (tls) this.#handshakes.watch(server as https.Server);
    this.#servers.push(server);
    return server;
  }

  #handle(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
    served: (place: Place) => Place | undefined,
  ): void {
    this.#unused.delete(request.socket);
    // Its sender has to send it again, so it must not be taken.
    if (isEnding(request.socket)) return;
    if (this.#stopping.signal.aborted) response.shouldKeepAlive = false;
    const place = served(this.#arrive(request));
    if (place === '/' && request.method === 'POST') {
      this.#ingest.handle(request, response, expectsContinue);
      return;
    }
    if (expectsContinue) response.writeContinue();
    if (place === undefined) {
      sendText(response, 404, '404 page not found\n');
      return;
    }
    try {
      if (answerProbe(place, response, () => this.#options.backend.readiness())) return;
    } catch (error) {
      this.#fail(response, error, 'a probe cannot be answered');
      return;
    }
    // What is served elsewhere is nothing special here.
    if (place === '/') request.url = '/';
    if (this.#app) this.#app(request, response);
    else this.#openApp(request, response);
  }

  /** Takes the secret segment off the path, if there is one, and tells what serves the rest. */
  #arrive(request: IncomingMessage): Place {
    const url = request.url ?? '/';
    const { auth } = this.#settings;
    if (url === '/' && !auth.hasSecretPath) return '/';
    const { path, query } = splitTarget(url);
    const rest = auth.hasSecretPath ? auth.enter(request, path) : undefined;
    if (rest !== undefined || !url.startsWith('/')) request.url = (rest ?? path) + query;
    const place = placeOf(rest ?? path, request.method);
    // A segment that is not ours may be the secret, mistyped.
    const hidden = place === '/' && auth.hasSecretPath && path !== '/';
    this.#shownPaths.set(request, hidden ? '/***' : (rest ?? path));
    return place;
  }

  #shownPath(request: IncomingMessage): string {
    return this.#shownPaths.get(request) ?? '/';
  }

  // Where the ingest itself has moved to the plain port, nothing is left to fall back to.
  #elsewhere(): Place | undefined {
    return this.#plainPlaces.has('/') ? undefined : '/';
  }

  // Loaded with the first request that needs it: a start pays nothing for it, nor does a process that only takes alerts.
  #openApp(request: IncomingMessage, response: ServerResponse): void {
    import('./api/app.ts')
      .then(({ createApp }) => {
        this.#app ??= createApp({
          backend: this.#options.backend,
          ingest: this.#ingest,
          refusals: this.#refusals,
          settings: this.#settings,
          shownPath: one => this.#shownPath(one),
          version: this.#options.version,
          stopping: this.#stopping.signal,
          log: this.#options.log,
        });
        this.#app(request, response);
      })
      .catch(error => this.#fail(response, error, 'the API cannot be loaded'));
  }

  #fail(response: ServerResponse, error: unknown, message: string): void {
    this.#options.log.error({ err: error }, message);
    if (response.headersSent) response.destroy();
    else sendText(response, 500, 'internal error; the log has the details\n');
  }

  #watch(server: https.Server, loaded: TlsFiles): void {
    this.#tlsWatch?.close();
    this.#tlsWatch = watchTls(this.#settings.config.tls!, {
      loaded,
      log: this.#options.log,
      apply: files => server.setSecureContext(files),
    });
  }

  #swapTls(server: https.Server, tls: NonNullable<ServerConfig['tls']>): void {
    const files = loadTls(tls);
    server.setSecureContext(files);
    this.#settings.config = { ...this.#settings.config, tls };
    this.#watch(server, files);
  }

  async #close(graceMs: number): Promise<void> {
    this.#tlsWatch?.close();
    this.#stopping.abort();
    const closed = this.#servers.map(
      server => new Promise<void>(resolve => (server.listening ? server.close(() => resolve()) : resolve())),
    );
    this.#fast.close();
    // A connection that was answering a request becomes idle after the answer.
    const sweep = setInterval(() => this.#forEach(server => server.closeIdleConnections()), 50);
    // Node does not call a connection idle that is still to send its first request, such as a browser opens ahead.
    const unused = setTimeout(() => {
      for (const socket of this.#unused) socket.destroy();
      this.#handshakes.destroy();
    }, UNUSED_GRACE_MS);
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    const kill = setTimeout(() => {
      this.#fast.destroy();
      this.#handshakes.destroy();
      this.#forEach(server => server.closeAllConnections());
      resolve();
    }, graceMs);
    await Promise.race([Promise.all(closed), killed]);
    clearInterval(sweep);
    clearTimeout(unused);
    clearTimeout(kill);
  }

  #forEach(act: (server: Server) => void): void {
    for (const server of this.#servers) act(server);
  }
}

// What is not one of the paths that there are would otherwise stand for the ingest; the configuration warns of it.
function isServed(path: string): boolean {
  return path === '/' || placeOf(path) !== '/';
}

function filesOf({ certFile, keyFile, clientCaFile }: NonNullable<ServerConfig['tls']>) {
  return { certFile, keyFile, clientCaFile };
}
