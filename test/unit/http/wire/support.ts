/** A far end on a raw socket that does what it is told to, and a handler that remembers what it was told. */
import type { IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { AnswerHandler, Controller } from '../../../../src/core/http/wire/connection.ts';
import { WirePool, type WirePoolOptions } from '../../../../src/core/http/wire/pool.ts';
import type { WireRequest } from '../../../../src/core/http/wire/request.ts';

/** Notes calls and lets a test wait for what they lead to. */
class Watched {
  #watchers: (() => void)[] = [];

  happened(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  /** Resolves as soon as the condition holds; looked at whenever something happens here. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#watchers.push(resolve));
  }
}

export class Recorder extends Watched implements AnswerHandler {
  status = 0;
  body = '';
  error: (Error & { code?: string }) | undefined;
  /** Calls of `onResponseEnd` and `onResponseError`: one is right. */
  ends = 0;
  controller: Controller | undefined;
  readonly done = this.until(() => this.ends > 0).then(() => this);

  onRequestStart(controller: Controller): void {
    this.controller = controller;
  }

  onResponseStart(_controller: Controller, status: number, _headers: IncomingHttpHeaders): void {
    this.status = status;
    this.happened();
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.body += chunk.toString('latin1');
    this.happened();
  }

  onResponseEnd(_controller: Controller): void {
    this.ends++;
    this.happened();
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.error = error;
    this.ends++;
    this.happened();
  }
}

/** A server of raw sockets, numbered from 1. */
export class FarEnd extends Watched {
  readonly sockets: Socket[] = [];
  /** What has come over each connection. */
  readonly came: string[] = [];
  readonly #server: Server;
  readonly #serve: (socket: Socket, number: number) => void;

  private constructor(server: Server, serve: (socket: Socket, number: number) => void) {
    super();
    this.#server = server;
    this.#serve = serve;
    server.on('tlsClientError', () => {});
  }

  static async listen(
    serve: (socket: Socket, number: number, far: FarEnd) => void,
    { tls, host = '127.0.0.1', port = 0 }: { tls?: TlsOptions; host?: string; port?: number } = {},
  ): Promise<FarEnd> {
    const accept = (socket: Socket) => far.#accept(socket);
    const server = tls ? createTlsServer(tls, accept) : createServer({ allowHalfOpen: true }, accept);
    const far: FarEnd = new FarEnd(server, (socket, number) => serve(socket, number, far));
    await new Promise<void>(resolve => server.listen(port, host, resolve));
    return far;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get open(): number {
    return this.sockets.filter(socket => !socket.destroyed).length;
  }

  /** Takes no more connections; those that are there stay. */
  refuse(): void {
    this.#server.close();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const number = this.sockets.push(socket);
    this.came.push('');
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => this.happened());
    socket.on('data', chunk => {
      this.came[number - 1] += chunk.toString('latin1');
      this.happened();
    });
    this.#serve(socket, number);
    this.happened();
  }
}

/** Calls `reply` for each request that has come whole, with its path. */
export function onRequests(socket: Socket, reply: (path: string, body: string) => void): void {
  let held = '';
  socket.on('data', chunk => {
    held += chunk.toString('latin1');
    for (;;) {
      const head = /^\w+ (\S+) HTTP\/1\.1\r\n(?:.*\r\n)*?content-length: (\d+)\r\n(?:.*\r\n)*?\r\n/.exec(
        held,
      );
      const end = head ? head[0].length + Number(head[2]) : Number.POSITIVE_INFINITY;
      if (held.length < end) return;
      const body = held.slice(head![0].length, end);
      held = held.slice(end);
      reply(head![1]!, body);
    }
  });
}

export const ok = (body = '', headers = ''): string =>
  `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Answers each request with its path. */
export const echo = (socket: Socket): void => onRequests(socket, path => socket.write(ok(path)));

/** Refuses the first request before it is read, which `resume` lets go on; answers those after it with their path. */
export function hasty(): { serve(socket: Socket): void; resume(): void } {
  let refused: Socket | undefined;
  return {
    serve(socket) {
      let isFirst = true;
      onRequests(socket, path => {
        if (!isFirst) socket.write(ok(path));
        isFirst = false;
      });
      socket.once('data', () => {
        refused = socket;
        socket.pause();
        socket.write('HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n');
      });
    },
    resume: () => void refused?.resume(),
  };
}

export function poolTo(port: number, over: Partial<WirePoolOptions> & { scheme?: string } = {}): WirePool {
  const { scheme = 'http', ...options } = over;
  return new WirePool({
    origin: new URL(`${scheme}://127.0.0.1:${port}`),
    connections: 1,
    keepAliveMs: 60_000,
    connectTimeoutMs: 10_000,
    bodyTimeoutMs: 10_000,
    tls: () => ({ secureContext: createSecureContext(), rejectUnauthorized: false }),
    ...options,
  });
}

export function dispatch(pool: WirePool, path = '/', over: Partial<WireRequest> = {}): Recorder {
  const recorder = new Recorder();
  pool.dispatch({ method: 'POST', path, headers: [], body: 'x', ...over }, recorder);
  return recorder;
}
