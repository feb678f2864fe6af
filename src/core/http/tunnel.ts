/** Requests through the tunnels of a proxy; undici keeps the connections and reads the answers. */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { toRawUtf8 } from '../raw-utf8.ts';
import type { ClientTls } from './client-tls.ts';
import type { HttpDispatcher } from './dispatcher.ts';
import { toHttpFailure } from './failures.ts';
import { TunnelSockets } from './tunnel-socket.ts';

// Loaded with the first tunnel: few need one.
const require = createRequire(import.meta.url);
const undici = (): typeof import('undici') => require('undici');

export interface TunnelOptions {
  proxy: URL;
  /** For `Proxy-Authorization`. */
  token: string | undefined;
  connections: number;
  tls: ClientTls['options'];
  keepAliveMs: number;
  connectTimeoutMs: number;
  bodyTimeoutMs: number;
}

/** Requests to one origin, each connection through a tunnel of its own. */
export function openTunnel(origin: string, options: TunnelOptions): HttpDispatcher {
  const { connections, keepAliveMs, bodyTimeoutMs } = options;
  const sockets = new TunnelSockets(options);
  const connect = connectorThrough(sockets, options);
  const { Pool } = undici();
  const pool = new Pool(origin, {
    connections,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    // The signal ends what takes too long; a second clock would only cost.
    headersTimeout: 0,
    bodyTimeout: bodyTimeoutMs,
    connect: (to, callback) => {
      // As our own errors they end the try: at some of its own and of TLS, undici would connect again without a pause
      // and without end (nodejs/undici#3897).
      const fail = (error: unknown) => callback(toHttpFailure(error, origin), null);
      connect(to).then(socket => callback(null, socket), fail);
    },
  });
  return {
    dispatch: ({ method, path, headers, body }, handler) => {
      pool.dispatch({ path, method: method as 'POST', headers: headers.map(toRawUtf8), body }, handler);
    },
    close: () => void pool.close(),
    destroy: () => {
      void pool.destroy();
      sockets.destroy();
    },
  };
}

/** Connects to a target through a tunnel; with TLS, where its scheme asks for that. */
function connectorThrough(sockets: TunnelSockets, { tls, connectTimeoutMs: timeout }: TunnelOptions) {
  // Sessions are kept by the connector; a new one is made only when the certificates have changed.
  let connector: { context: unknown; connect: buildConnector.connector } | undefined;
  const toTls = () => {
    const secure = tls();
    if (connector?.context !== secure.secureContext) {
      const connect = undici().buildConnector({ ...secure, timeout });
      connector = { context: secure.secureContext, connect };
    }
    return connector!.connect;
  };
  return async (to: buildConnector.Options): Promise<Socket> => {
    const { hostname: host, port, protocol } = to;
    if (protocol !== 'https:') return sockets.open({ host, port: Number(port) || 80 });
    const tunnel = await sockets.open({ host, port: Number(port) || 443 });
    try {
      return await new Promise((resolve, reject) => {
        toTls()({ ...to, httpSocket: tunnel }, (...[error, socket]) =>
          error ? reject(error) : resolve(socket!),
        );
      });
    } catch (error) {
      tunnel.destroy();
      throw error;
    }
  };
}
