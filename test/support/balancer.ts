/** A plain TCP balancer: each connection goes to the next backend that takes it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Balancer {
  /** Ports on this machine. */
  backends: number[];
  port = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  constructor(backends: number[]) {
    this.backends = backends;
    this.#server = createServer(client => void this.#serve(client));
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(client: Socket): Promise<void> {
    this.#keep(client);
    for (let tries = 0; tries < this.backends.length; tries++) {
      const backend = await this.#dial(this.backends[this.#next++ % this.backends.length]!);
      if (!backend) continue;
      client.pipe(backend).pipe(client);
      client.once('close', () => backend.destroy());
      backend.once('close', () => client.destroy());
      return;
    }
    client.destroy();
  }

  #dial(port: number): Promise<Socket | undefined> {
    return new Promise(resolve => {
      const socket = connect(port, '127.0.0.1');
      this.#keep(socket);
      socket.once('connect', () => resolve(socket)).once('error', () => resolve(undefined));
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
  }
}
