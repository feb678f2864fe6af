/** Requests over a pool, a handler that remembers what it was told, and what far ends say. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { afterEach } from 'vitest';
import type { AnswerHandler, Controller } from '../../../../src/core/http/wire/connection.ts';
import { WirePool, type WirePoolOptions } from '../../../../src/core/http/wire/pool.ts';
import type { WireRequest } from '../../../../src/core/http/wire/request.ts';
import { RawServer, Watched } from '../../../support/raw-server.ts';

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

/** Opens far ends and pools that go with the test. */
export function farEnds() {
  const far: RawServer[] = [];
  const pools: WirePool[] = [];
  afterEach(async () => {
    for (const pool of pools.splice(0)) pool.destroy();
    await Promise.all(far.splice(0).map(one => one.close()));
  });
  return {
    async farEnd(...options: Parameters<typeof RawServer.listen>): Promise<RawServer> {
      const one = await RawServer.listen(...options);
      far.push(one);
      return one;
    },
    pooled(...options: Parameters<typeof poolTo>): WirePool {
      const pool = poolTo(...options);
      pools.push(pool);
      return pool;
    },
  };
}
