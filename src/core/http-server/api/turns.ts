/** Turns for answers that weigh a lot: only so many are made, or on their way, at once. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface TurnOptions {
  /** Most answers at once. */
  most: number;
  /** Longest wait for a turn, in milliseconds. */
  waitMs: number;
  /** Longest time from there until the reader has all of it, in milliseconds; then the connection is cut. */
  takeMs: number;
}

export class Turns {
  readonly #options: TurnOptions;
  readonly #waiting = new Set<() => void>();
  /** Connections of those whose turn it is. */
  readonly #served = new Set<Socket>();
  #taken = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /**
   * Waits for a turn, which lasts until the response has closed. False when none has come in time. Who has ended its side
   * of the connection has perhaps left, and loses the turn to others that wait.
   */
  async begin(response: ServerResponse): Promise<boolean> {
    if (!(await this.#turn())) return false;
    if (response.destroyed) {
      this.#pass();
      return false;
    }
    // Not the response alone: a pipelined one has no connection before those ahead of it are done.
    const { socket } = response.req;
    const limit = setTimeout(() => socket.destroy(), this.#options.takeMs);
    const onEnd = () => this.#makeRoom();
    socket.once('end', onEnd);
    this.#served.add(socket);
    response.once('close', () => {
      clearTimeout(limit);
      socket.off('end', onEnd);
      this.#served.delete(socket);
      this.#pass();
    });
    this.#makeRoom();
    return true;
  }

  #turn(): Promise<boolean> {
    const { most, waitMs } = this.#options;
    if (this.#taken < most) {
      this.#taken++;
      return Promise.resolve(true);
    }
    return new Promise(resolve => {
      const go = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(go);
        resolve(false);
      }, waitMs);
      this.#waiting.add(go);
      this.#makeRoom();
    });
  }

  /** Cuts off one who may have left, if another waits. */
  #makeRoom(): void {
    if (this.#waiting.size === 0) return;
    for (const socket of this.#served) {
      if (!socket.readableEnded || socket.destroyed) continue;
      socket.destroy();
      return;
    }
  }

  /** Hands the turn to who has waited longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#taken--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
