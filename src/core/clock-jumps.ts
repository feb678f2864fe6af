/**
 * Jumps of the wall clock forward: one that is set after the start, or a machine that slept. They make nothing older.
 * A jump back takes back as much of them.
 */
import type { Clock } from './contract.ts';

/** Less is taken for the drift of the clocks, in milliseconds. */
const LEAST_JUMP_MS = 60_000;
/** Remembered, the newest ones: a clock that jumps on and on needs no memory. */
const MOST_JUMPS = 16;

export class ClockJumps {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  #wall: number;
  #monotonic: number;
  /** `from`: what the wall clock would have shown when the jump was seen; stamps of before the jump are not above it. */
  readonly #jumps: { from: number; by: number }[] = [];

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
    this.#wall = clock.now();
    this.#monotonic = clock.monotonic();
  }

  /** The wall clock, milliseconds since the epoch; takes note when it has jumped since the last look. */
  look(): number {
    const wall = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const from = this.#wall + monotonic - this.#monotonic;
    const by = wall - from;
    if (by >= LEAST_JUMP_MS) {
      this.#jumps.push({ from, by });
      if (this.#jumps.length > MOST_JUMPS) this.#jumps.shift();
    } else if (by <= -LEAST_JUMP_MS) this.#takeBack(-by);
    this.#wall = wall;
    this.#monotonic = monotonic;
    return wall;
  }

  /** Otherwise what came before would have to wait for the clock to come there again before it had an age. */
  #takeBack(by: number): void {
    for (let left = by; left > 0; ) {
      const last = this.#jumps.at(-1);
      if (!last) return;
      const part = Math.min(left, last.by);
      last.by -= part;
      left -= part;
      if (last.by === 0) this.#jumps.pop();
    }
  }

  /**
   * A stamp of the wall clock as the clock of the last look would have had it; milliseconds since the epoch. Ages are
   * measured from there: where it is not clear whether a stamp is of before a jump, it is taken for that.
   */
  adjusted(stamp: number): number {
    let adjusted = stamp;
    for (const { from, by } of this.#jumps) if (adjusted <= from) adjusted += by;
    return adjusted;
  }
}
