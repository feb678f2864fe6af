/** Connections through a proxy: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5. */

import net, { isIP, isIPv6, type Socket } from 'node:net';
import tls from 'node:tls';
import { bareHost } from '../url-parts.ts';
import type { ClientTls } from './client-tls.ts';
import { toHttpFailure, toProxyRefusal } from './failures.ts';
import { proxyName } from './proxy.ts';
import { SocketReader } from './socket-reader.ts';
import { type Destination, openSocksTunnel } from './socks.ts';
import { WireError } from './wire/failure.ts';

export interface TunnelSocketOptions {
  proxy: URL;
  /** For `Proxy-Authorization`. */
  token: string | undefined;
  tls: ClientTls['options'];
  /** For all that comes before the tunnel is open. */
  connectTimeoutMs: number;
}

const MAX_HEAD_BYTES = 16 * 1024;

/** Opens connections through one proxy, and ends them all when it is closed: also those that others have taken over. */
export class TunnelSockets {
  readonly #options: TunnelSocketOptions;
  readonly #sockets = new Set<Socket>();

  constructor(options: TunnelSocketOptions) {
    this.#options = options;
  }

  /**
   * A connection that leads to the destination.
   * @throws RetriableError that names the proxy, without its credentials; Error when the TLS settings cannot be used
   */
  async open(destination: Destination): Promise<Socket> {
    const { proxy, token, connectTimeoutMs } = this.#options;
    const name = proxyName(proxy);
    const socket = this.#connect();
    // Whoever reads is told of it too.
    socket.on('error', () => {});
    const late = new WireError('WIRE_CONNECT_TIMEOUT', 'no tunnel in time');
    const timer = setTimeout(() => socket.destroy(late), connectTimeoutMs);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    try {
      const reader = new SocketReader(socket);
      if (proxy.protocol === 'socks5:') await openSocksTunnel(reader, proxy, destination);
      else await openHttpTunnel(reader, name, destination, token);
      reader.release();
      return socket;
    } catch (error) {
      socket.destroy();
      throw toHttpFailure(error, name);
    } finally {
      clearTimeout(timer);
    }
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Says nothing before it is connected: what is written waits for that. */
  #connect(): Socket {
    const { proxy, tls: secure } = this.#options;
    const host = bareHost(proxy.hostname);
    const common = { host, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    if (proxy.protocol === 'https:') {
      const servername = isIP(host) ? '' : host;
      return tls.connect({ ...common, ...secure(), port: Number(proxy.port) || 443, servername });
    }
    const usual = proxy.protocol === 'socks5:' ? 1080 : 80;
    return net.connect({ ...common, port: Number(proxy.port) || usual });
  }
}

async function openHttpTunnel(
  reader: SocketReader,
  proxy: string,
  { host, port }: Destination,
  token: string | undefined,
): Promise<void> {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const credentials = token === undefined ? '' : `proxy-authorization: ${token}\r\n`;
  reader.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`);
  const line = await reader.line(MAX_HEAD_BYTES);
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1];
  if (status === undefined) throw new WireError('WIRE_NOT_HTTP', 'the answer is not HTTP');
  if (!status.startsWith('2')) throw toProxyRefusal(proxy, Number(status));
  // What follows the empty line comes from the destination; whatever the headers say of a body does not count.
  for (let left = MAX_HEAD_BYTES; ; ) {
    const header = await reader.line(left);
    if (header === '') return;
    left -= header.length;
  }
}
