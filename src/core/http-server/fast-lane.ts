/**
 * The short way in: connections whose requests are simple are read and answered here, at half the CPU time of node:http.
 * Whatever is not simple (other paths and methods, chunked or packed bodies, anything to refuse) goes to node:http, with
 * its connection and every byte that has not been answered: there is one place that judges requests, and it is not this.
 */
import type { Socket } from 'node:net';
import { Lane, type LaneHost, type LaneOptions } from './lane.ts';

export class FastLane implements LaneHost {
  readonly options: LaneOptions;
  readonly #lanes = new Set<Lane>();
  #sweeper: NodeJS.Timeout | undefined;
  #ok: string | undefined;
  isClosing = false;

  constructor(options: LaneOptions) {
    this.options = options;
  }

  /** Connections here. */
  get size(): number {
    return this.#lanes.size;
  }

  /** Takes a new connection, whose `data` may be lent for the time of the event. `handOver` gives it to node:http. */
  take(socket: Socket, handOver: (socket: Socket) => void): void {
    if (this.isClosing) {
      handOver(socket);
      return;
    }
    const lane = new Lane(socket, this, left => {
      this.#lanes.delete(lane);
      if (left) handOver(socket);
    });
    this.#lanes.add(lane);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.options.patienceMs).unref();
  }

  /** Ends connections without a request, and the others after their answer. */
  close(): void {
    this.isClosing = true;
    for (const lane of this.#lanes) lane.finish();
  }

  /** Ends all connections. */
  destroy(): void {
    clearInterval(this.#sweeper);
    for (const lane of this.#lanes) lane.destroy();
  }

  ok(): string {
    this.#ok ??= this.#makeOk();
    return this.#ok;
  }

  #makeOk(): string {
    const now = new Date();
    const idleSeconds = Math.floor(this.options.idleMs() / 1000);
    // It tells the second, and serves until that is over.
    setTimeout(() => {
      this.#ok = undefined;
    }, 1000 - now.getMilliseconds()).unref();
    return (
      `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: ${now.toUTCString()}\r\n` +
      `Connection: keep-alive\r\nKeep-Alive: timeout=${idleSeconds}\r\n\r\n`
    );
  }

  #sweep(): void {
    const now = performance.now();
    for (const lane of this.#lanes) lane.look(now);
    if (this.#lanes.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
