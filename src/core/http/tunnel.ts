/** Requests through a proxy's tunnel (HTTP CONNECT, SOCKS5), by means of undici. */
import { createRequire } from 'node:module';
import type { buildConnector, Dispatcher, Pool } from 'undici';
import { toRawUtf8 } from '../raw-utf8.ts';
import type { HttpDispatcher } from './client.ts';
import type { ClientTls } from './client-tls.ts';
import { toHttpFailure, toProxyRefusal } from './failures.ts';
import { proxyName } from './proxy.ts';

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

/** @throws Error when the TLS settings cannot be used */
export function openTunnel(origin: string, options: TunnelOptions): HttpDispatcher {
  const { proxy, token, connectTimeoutMs: timeout } = options;
  const { Pool, ProxyAgent } = undici();
  const agent = new ProxyAgent({
    ...poolOptions(options),
    uri: proxy.protocol === 'socks5:' ? proxy.href : proxy.origin,
    token,
    requestTls: { ...options.tls(), timeout },
    proxyTls: { ...options.tls(), servername: undefined, timeout },
    clientFactory: (to, settings) =>
      speakingFor(proxy, new Pool(to, { ...settings, headersTimeout: timeout })),
  });
  return {
    dispatch: ({ method, path, headers, body }, handler) => {
      agent.dispatch(
        { origin, path, method: method as 'POST', headers: headers.map(toRawUtf8), body },
        handler,
      );
    },
    close: () => void agent.close(),
    destroy: () => void agent.destroy(),
  };
}

/**
 * Has a proxy's failures told as our errors. They end the try: on its own error for a connection that the proxy closes,
 * undici would ask for the tunnel again without a pause and without end (nodejs/undici#3897).
 */
function speakingFor(proxy: URL, pool: Pool): Pool {
  const connect = pool.connect.bind(pool) as (
    options: Dispatcher.ConnectOptions,
  ) => Promise<Dispatcher.ConnectData>;
  const name = proxyName(proxy);
  return Object.assign(pool, {
    connect: async (options: Dispatcher.ConnectOptions) => {
      const answer = await connect(options).catch(error => {
        throw toHttpFailure(error, name);
      });
      const { socket, statusCode: status } = answer;
      if (status === 200) return answer;
      socket.on('error', () => {}).destroy();
      throw toProxyRefusal(name, status);
    },
  });
}

function poolOptions({
  connections,
  tls,
  keepAliveMs,
  connectTimeoutMs,
  bodyTimeoutMs,
}: TunnelOptions): Pool.Options {
  // Sessions are kept by the connector; a new one is made only when the certificates have changed.
  let connector: { context: unknown; connect: buildConnector.connector } | undefined;
  return {
    connections,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    // The signal ends what takes too long; a second clock would only cost.
    headersTimeout: 0,
    bodyTimeout: bodyTimeoutMs,
    connect: (options, callback) => {
      try {
        const secure = options.protocol === 'https:' ? tls() : undefined;
        if (!connector || connector.context !== secure?.secureContext) {
          const connect = undici().buildConnector({ ...secure, timeout: connectTimeoutMs });
          connector = { context: secure?.secureContext, connect };
        }
        connector.connect(options, callback);
      } catch (error) {
        callback(error as Error, null);
      }
    },
  };
}
