/** A forward proxy that keeps what it was asked for: absolute requests and tunnels. */
import { createServer, request, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Proxied {
  /** `POST http://host/path` or `CONNECT host:443`. */
  line: string;
  authorization: string | undefined;
  host: string | undefined;
}

export class HttpProxy {
  readonly asked: Proxied[] = [];
  /** Answers with this status instead of passing anything on, when set. */
  refuse = 0;
  /** Where everything is sent, whatever its name. */
  target: { port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: { port: number }) {
    this.target = target;
    this.#server = createServer((incoming, outgoing) => {
      const { method, url = '', headers } = incoming;
      this.#note(`${method} ${url}`, headers);
      if (this.refuse) return void outgoing.writeHead(this.refuse).end();
      const { pathname, search } = new URL(url);
      const options = { host: '127.0.0.1', port: this.target.port, method, path: pathname + search, headers };
      const onward = request(options, answer => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
    this.#server.on('connect', (incoming, socket: Socket) => {
      this.#note(`CONNECT ${incoming.url}`, incoming.headers);
      socket.on('error', () => {});
      if (this.refuse) return void socket.end(`HTTP/1.1 ${this.refuse} X\r\ncontent-length: 0\r\n\r\n`);
      const onward = connect(this.target.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      this.#keep(onward);
    });
    this.#server.on('connection', socket => this.#keep(socket));
  }

  static async listen(target: { port: number }): Promise<HttpProxy> {
    const proxy = new HttpProxy(target);
    await new Promise<void>(resolve => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #note(line: string, headers: NodeJS.Dict<string | string[]>): void {
    this.asked.push({
      line,
      authorization: headers['proxy-authorization'] as string | undefined,
      host: headers.host as string | undefined,
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
