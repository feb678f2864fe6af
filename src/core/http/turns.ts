/** Turns for answers that weigh a lot: only so many are made, or on their way, at once. */
import type { ServerResponse } from 'node:http';

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
  #taken = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /** Waits for a turn, which lasts until the response has closed. False when none has come in time. */
  async begin(response: ServerResponse): Promise<boolean> {
    if (!(await this.#turn())) return false;
    if (response.destroyed) {
      this.#pass();
      return false;
    }
    // Not the response alone: a pipelined one has no connection before those ahead of it are done.
    const limit = setTimeout(() => response.req.socket.destroy(), this.#options.takeMs);
    response.once('close', () => {
      clearTimeout(limit);
      this.#pass();
    });
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
    });
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
