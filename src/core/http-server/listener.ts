/** The sockets: servers with their limits and time-outs, and what is said to connections that are no request. */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ServerConfig } from '../config/types.ts';
import http from '../http/node-http.ts';
import type { FastLane } from './fast-lane.ts';
import { lendReads } from './lent-reads.ts';
import type { Refusals } from './refusals.ts';
import type { TlsFiles } from './tls.ts';

/** Called with each request; `expectsContinue`: its sender waits for `100 Continue` before it sends the body. */
export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
) => void;

// Node's 16 KiB is less than what a chain of proxies can gather.
const MAX_HEADER_BYTES = 64 * 1024;
const LINGER_MS = 1000;

/** A server that is not listening yet; with TLS when given files. */
export function createListener(options: {
  config: ServerConfig;
  tls?: TlsFiles;
  refusals: Refusals;
  handle: RequestHandler;
  /** Told of each connection that node:http serves, over TLS once the handshake is done. */
  connected(socket: Socket): void;
  /** Gets each connection first, where there is one. */
  fast: FastLane | undefined;
}): Server | https.Server {
  const { config, tls, refusals, handle } = options;
  const httpOptions: ServerOptions = {
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: config.requestTimeoutMs,
    headersTimeout: config.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, Math.ceil(config.requestTimeoutMs / 4)),
    keepAliveTimeout: config.keepAliveMs,
    // Probes find out about peers that vanished without a word.
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    noDelay: true,
    // An alert without it says all that is needed.
    requireHostHeader: false,
  };
  const server = tls
    ? https.createServer({
        ...httpOptions,
        ...tls,
        requestCert: tls.ca !== undefined,
        rejectUnauthorized: true,
        handshakeTimeout: config.requestTimeoutMs,
      })
    : http.createServer(httpOptions);
  server.maxConnections = config.maxConnections;
  // A sender may close its side behind its request and still read the answer. Node's types lack it.
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
  routeConnections(server, tls ? 'secureConnection' : 'connection', options);
  server.on('request', (request, response) => handle(request, response, false));
  server.on('checkContinue', (request, response) => handle(request, response, true));
  // An expectation that nobody knows may be passed over (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => handle(request, response, false));
  const refused = new WeakSet<Socket>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // What still comes over a refused connection is an error again.
    if (refused.has(socket)) return;
    refused.add(socket);
    refuseConnection(error, socket, refusals, tls !== undefined);
  });
  server.on('drop', (dropped?: { remoteAddress?: string }) => {
    refusals.noteConnection(
      { remoteAddress: dropped?.remoteAddress },
      'overloaded',
      `more than ${server.maxConnections} connections at once`,
    );
  });
  return server;
}

/** Puts the fast lane before node:http's own handling of connections, which is that event's one listener. */
function routeConnections(
  server: Server,
  event: 'connection' | 'secureConnection',
  { fast, connected }: { fast: FastLane | undefined; connected(socket: Socket): void },
): void {
  const serve = server.listeners(event);
  server.removeAllListeners(event);
  const handOver = (socket: Socket) => {
    connected(socket);
    for (const listener of serve) listener.call(server, socket);
  };
  server.on(event, (accepted: Socket) => {
    if (!fast) {
      handOver(accepted);
      return;
    }
    const { socket, keep } = lendReads(accepted);
    fast.take(socket, () => {
      keep();
      handOver(socket);
    });
  });
}

/** Sets what can be set on a server that runs. */
export function applyLimits(server: Server, config: ServerConfig): void {
  server.maxConnections = config.maxConnections;
  server.requestTimeout = config.requestTimeoutMs;
  server.headersTimeout = config.requestTimeoutMs;
  server.keepAliveTimeout = config.keepAliveMs;
}

/**
 * Binds.
 * @throws Error with a sentence that says what is in the way
 */
export function bind(server: Server, address: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(bindError(error, address, port));
    server.once('error', onError);
    server.listen({ port, ...(address === '' ? {} : { host: address }), backlog: 1024 }, () => {
      server.off('error', onError);
      resolve(server.address() as AddressInfo);
    });
  });
}

function bindError(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const where = address === '' ? '' : ` on ${address}`;
  const messages: Record<string, string> = {
    EADDRINUSE: `port ${port} is in use${where}: another process listens there`,
    EACCES: `port ${port} may not be used${where}: ports below 1024 need the right to do so`,
    EADDRNOTAVAIL: `${address} is not an address of this machine`,
    ENOTFOUND: `${address} is not an address, nor a host name that is known`,
    EAI_AGAIN: `${address} is not an address, nor a host name that is known`,
  };
  const message =
    messages[error.code ?? ''] ?? `cannot listen on port ${port}${where}: ${error.code ?? error.message}`;
  return new Error(message, { cause: error });
}

function refuseConnection(
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  socket: Socket,
  refusals: Refusals,
  overTls: boolean,
): void {
  const { code = '' } = error;
  const { authorizationError } = socket as Partial<TLSSocket>;
  if (authorizationError || code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') {
    const why = 'the client certificate is missing or not of the right authority';
    refusals.noteConnection(socket, 'unauthorized', why);
    socket.destroy();
    return;
  }
  if (code.startsWith('ERR_SSL') || code === 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    const message =
      code === 'ERR_SSL_HTTP_REQUEST'
        ? 'plain HTTP came to the TLS port: send to an https:// URL'
        : `the TLS handshake failed (${code})`;
    refusals.noteConnection(socket, 'bad_request', message);
    socket.destroy();
    return;
  }
  // Opened ahead and never used: what is said to it, a proxy would take for the answer to its first request.
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  // Node's own name for the response that a connection is at: what is half sent must not be written into.
  const current = (socket as { _httpMessage?: ServerResponse })._httpMessage;
  const isBehindRequest = current?.req.complete && !current.headersSent;
  // What comes behind a request that asked to close the connection is nothing to anybody.
  if (isBehindRequest && code === 'HPE_CLOSED_CONNECTION') return;
  const answer = answerTo(code, error.rawPacket, overTls);
  // Anything else is a peer that went away.
  if (!answer) {
    socket.destroy();
    return;
  }
  refusals.noteConnection(socket, answer.reason, answer.message);
  if (isBehindRequest) {
    // Its alerts may have been taken: it gets its own answer, which is the last one.
    current.shouldKeepAlive = false;
    return;
  }
  const body = `${answer.message}\n`;
  if (socket.writable && !current?.headersSent) {
    socket.write(
      `HTTP/1.1 ${answer.status} ${http.STATUS_CODES[answer.status]}\r\nConnection: close\r\n` +
        `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  // Reads on for a moment: closing with unread bytes makes TCP reset the connection, and the answer would be lost.
  socket.end();
  socket.once('end', () => socket.destroy());
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function answerTo(code: string, packet: Buffer | undefined, overTls: boolean) {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { status: 431, reason: 'too_large', message: 'the headers are too large' } as const;
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: 408, reason: 'timeout', message: 'the request did not come in time' } as const;
  }
  if (!code.startsWith('HPE_') || code === 'HPE_INVALID_EOF_STATE') return undefined;
  // A TLS record of a handshake begins with 22 3 (RFC 8446, 5.1).
  const handshake = !overTls && packet?.[0] === 22 && packet[1] === 3;
  const message = handshake ? 'TLS came to the plain HTTP port: send to an http:// URL' : 'this is not HTTP';
  return { status: 400, reason: 'bad_request', message } as const;
}
