/** A far end on a raw socket: keeps what it was sent and answers as scripted, in HTTP or in nonsense. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { readableBody } from '../../scripts/gen/readable.ts';

/** A request as it came over the wire. Header names are lower case. */
export interface Received {
  method: string;
  /** As it stands in the request line. */
  target: string;
  headers: Record<string, string>;
  /** Unpacked, binary messages as JSON. */
  body: string;
  /** Number of the connection it came on, from 1. */
  connection: number;
}

/** What to do with a request: write something to the socket, or nothing. */
export type Reply = (request: Received, socket: Socket) => void;

/** An HTTP answer as text. */
export function answer(status: number, body = '', headers: Record<string, string> = {}): string {
  const bare = status < 200 || status === 204 || status === 304;
  const lines = Object.entries(
    bare ? headers : { 'content-length': String(Buffer.byteLength(body)), ...headers },
  );
  return `HTTP/1.1 ${status} X\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${bare ? '' : body}`;
}

/** Answers every request alike. */
export function always(status: number, body = '', headers: Record<string, string> = {}): Reply {
  const text = answer(status, body, headers);
  return (_request, socket) => void socket.write(text);
}

export class HttpSink {
  readonly requests: Received[] = [];
  reply: Reply;
  connections = 0;
  /** Connections that are open now. */
  readonly open = new Set<Socket>();
  /** Numbers of those that have ended. */
  readonly ended = new Set<number>();
  readonly #server: Server;
  readonly #secure: boolean;
  #port = 0;
  #watchers: (() => void)[] = [];

  constructor(reply: Reply, tls?: TlsOptions) {
    this.reply = reply;
    this.#secure = tls !== undefined;
    const accept = (socket: Socket) => this.#accept(socket);
    this.#server = tls ? createTlsServer(tls, accept) : createServer(accept);
    // A client that does not like the certificate leaves before it is a connection.
    this.#server.on('tlsClientError', () => {});
  }

  static async listen(reply: Reply = always(200, 'ok'), tls?: TlsOptions): Promise<HttpSink> {
    const sink = new HttpSink(reply, tls);
    await new Promise<void>(resolve => sink.#server.listen(0, '127.0.0.1', resolve));
    sink.#port = (sink.#server.address() as { port: number }).port;
    return sink;
  }

  get port(): number {
    return this.#port;
  }

  get origin(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  /** Resolves as soon as the condition holds; looked at whenever something happens here. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#watchers.push(resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #happened(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }

  #accept(socket: Socket): void {
    const connection = ++this.connections;
    this.open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.open.delete(socket);
      this.ended.add(connection);
      this.#happened();
    });
    let pending = Buffer.alloc(0);
    socket.on('data', chunk => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        const parsed = parseRequest(pending);
        if (!parsed) break;
        pending = pending.subarray(parsed.length);
        const request = { ...parsed.request, connection };
        this.requests.push(request);
        this.reply(request, socket);
        this.#happened();
      }
    });
    this.#happened();
  }
}

function parseRequest(bytes: Buffer): { request: Omit<Received, 'connection'>; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  // Header values are raw bytes: read as Latin-1 none gets lost, shown as the UTF-8 that they mostly are.
  const [line = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const header of lines) {
    const colon = header.indexOf(':');
    headers[header.slice(0, colon).toLowerCase()] = Buffer.from(
      header.slice(colon + 1).trim(),
      'latin1',
    ).toString();
  }
  const length = end + 4 + Number(headers['content-length'] ?? 0);
  if (bytes.length < length) return undefined;
  const [method = '', target = ''] = line.split(' ');
  const sent = bytes.subarray(end + 4, length);
  const body = readableBody({ url: target, headers, body: sent });
  return { request: { method, target, headers, body }, length };
}
