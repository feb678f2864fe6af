/** A far end that takes lines over TCP or TLS and never answers, as Logstash and syslog servers do. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface LineReceiver {
  port: number;
  /** Every line that was read whole, without its end (`\n`, or `\r\n`). */
  readonly lines: string[];
  /** Connections that were accepted since the beginning. */
  readonly accepted: number;
  /** The open connections. */
  readonly sockets: ReadonlySet<Socket>;
  /** Ends like a process that is killed: the connections break, what was not read is gone. */
  stop(): Promise<void>;
  /** Listens again on the same port. */
  start(): Promise<void>;
}

export interface ReceiverOptions {
  /** For TLS. */
  tls?: TlsOptions;
  /** Not a byte of a connection is read until `resume` is called on it; not for TLS. */
  paused?: boolean;
}

export async function startReceiver({ tls, paused }: ReceiverOptions = {}): Promise<LineReceiver> {
  const sockets = new Set<Socket>();
  const lines: string[] = [];
  const state = { port: 0, accepted: 0 };
  let server: Server | undefined;
  const accept = (socket: Socket) => {
    state.accepted++;
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    let rest = '';
    socket.setEncoding('utf8').on('error', () => undefined);
    socket.on('data', (chunk: string) => {
      const parts = (rest + chunk).split(/\r?\n/);
      rest = parts.pop()!;
      lines.push(...parts);
    });
  };
  const start = async () => {
    server = tls
      ? createTlsServer(tls, accept).on('tlsClientError', () => undefined)
      : createServer({ pauseOnConnect: paused ?? false }, accept);
    await new Promise<void>(resolve => server!.listen(state.port, '127.0.0.1', resolve));
    state.port = (server.address() as AddressInfo).port;
  };
  const stop = async () => {
    const closed = new Promise(resolve => server?.close(resolve) ?? resolve(undefined));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await start();
  return {
    get port() {
      return state.port;
    },
    get accepted() {
      return state.accepted;
    },
    lines,
    sockets,
    stop,
    start,
  };
}
