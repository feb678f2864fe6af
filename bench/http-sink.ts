/** One HTTP or HTTPS far end that notes which alerts arrived. An alert counts when its request is answered with 2xx. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { nowMs } from './clock.ts';
import { type Head, MessageReader } from './http.ts';
import type { Tally } from './ledger.ts';
import type { Behaviour, SinkSpec } from './sink.ts';
import { answerOf, type HttpSinkKind, toAnswer } from './sink-answers.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const FAILED = toAnswer(500, '');
/** Requests that were on their way when a pause began are not held against anybody. */
const UNDER_WAY_MS = 100;

export class HttpSink {
  port = 0;
  readonly #tls: SinkSpec['tls'];
  readonly #tally: Tally;
  readonly #record: (body: Buffer, atMs: number) => void;
  readonly #accepted: Buffer;
  readonly #sockets = new Set<Socket>();
  readonly #heads = new Map<string, Head>();
  #behaviour: Behaviour = { mode: 'healthy', delayMs: 0, pauseUntilMs: 0 };
  #pausedAt = 0;
  #server: Server | undefined;

  /** @param record notes the alerts in a body */
  constructor(
    kind: HttpSinkKind,
    tls: SinkSpec['tls'],
    tally: Tally,
    record: (body: Buffer, atMs: number) => void,
  ) {
    this.#accepted = answerOf(kind);
    this.#tls = tls;
    this.#tally = tally;
    this.#record = record;
  }

  /** Listens on a port of its own, the same one after a refusal. */
  async listen(): Promise<void> {
    const serve = (socket: Socket) => this.#serve(socket);
    const server = this.#tls ? createTlsServer(this.#tls, serve) : createServer({ noDelay: true }, serve);
    server.on('tlsClientError', () => {});
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async behave(to: Behaviour): Promise<void> {
    const before = this.#behaviour;
    this.#behaviour = to;
    if (to.pauseUntilMs !== before.pauseUntilMs) this.#pausedAt = nowMs();
    if (to.mode === 'refusing' && before.mode !== 'refusing') {
      this.#server?.close();
      for (const socket of this.#sockets) socket.destroy();
    } else if (before.mode === 'refusing' && to.mode !== 'refusing') await this.listen();
  }

  #serve(socket: Socket): void {
    this.#tally.add('connections');
    this.#sockets.add(socket);
    const reader = new MessageReader(
      this.#heads,
      (head, body) => this.#take(socket, head, body),
      () => socket.write(CONTINUE),
    );
    socket.on('data', chunk => reader.feed(chunk as Buffer));
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #take(socket: Socket, head: Head, body: Buffer): void {
    this.#tally.add('requests');
    const { mode, delayMs } = this.#behaviour;
    const arrivedMs = nowMs();
    if (mode === 'hanging') return;
    if (delayMs === 0) {
      this.#answer(socket, head, body, arrivedMs);
      return;
    }
    const kept = Buffer.from(body);
    // Equal times fire in the order in which they were set, so answers stay in the order of the requests.
    setTimeout(() => this.#answer(socket, head, kept, arrivedMs), delayMs);
  }

  #answer(socket: Socket, head: Head, body: Buffer, arrivedMs: number): void {
    if (socket.destroyed) return;
    const { mode, pauseUntilMs } = this.#behaviour;
    if (arrivedMs < pauseUntilMs) {
      if (arrivedMs > this.#pausedAt + UNDER_WAY_MS) this.#tally.add('early');
      const seconds = Math.ceil((pauseUntilMs - arrivedMs) / 1000);
      this.#refuse(socket, toAnswer(429, '', [`Retry-After: ${seconds}`]));
    } else if (mode === 'failing') {
      this.#refuse(socket, FAILED);
    } else {
      this.#record(head.isGzip ? gunzipSync(body) : body, arrivedMs);
      socket.write(this.#accepted);
    }
  }

  #refuse(socket: Socket, answer: Buffer): void {
    this.#tally.add('failed');
    socket.write(answer);
  }
}
