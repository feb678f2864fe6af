/** A server on raw sockets that does what it is told to. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** Notes calls and lets a test wait for what they lead to. */
export class Watched {
  #watchers: (() => void)[] = [];

  happened(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  /** Resolves as soon as the condition holds; looked at whenever something happens here. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#watchers.push(resolve));
  }
}

/** A server of raw sockets, numbered from 1. */
export class RawServer extends Watched {
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
    serve: (socket: Socket, number: number, far: RawServer) => void,
    { tls, host = '127.0.0.1', port = 0 }: { tls?: TlsOptions; host?: string; port?: number } = {},
  ): Promise<RawServer> {
    const accept = (socket: Socket) => far.#accept(socket);
    const server = tls ? createTlsServer(tls, accept) : createServer({ allowHalfOpen: true }, accept);
    const far: RawServer = new RawServer(server, (socket, number) => serve(socket, number, far));
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
