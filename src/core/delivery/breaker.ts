/** Decides how many tries an output may start: all, one to probe, or none. Pure: time and chance come in. */
import { backoffMs } from '../retry.ts';
import type { BreakerState } from './contract.ts';

export interface BreakerPolicy {
  /** Opens after this many failed tries in a row; 0: never by itself. */
  failures: number;
  /** First and longest pause before a probe, in milliseconds. */
  minMs: number;
  maxMs: number;
}

/**
 * Closed: everything may go. Open: nothing until the pause is over. Half-open: one probe decides. The pause grows with
 * each probe that fails. A pause that the far side asks for opens the breaker as well, whatever came before; it can make
 * the pause longer, not shorter.
 */
export class Breaker {
  readonly #policy: BreakerPolicy;
  #state: BreakerState = 'closed';
  #failures = 0;
  /** Pauses in a row. */
  #pauses = 0;
  #until = 0;
  #asked = false;
  #probing = false;

  constructor(policy: BreakerPolicy) {
    this.#policy = policy;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Until when nothing may start, on the monotonic clock; undefined unless open. */
  get pausedUntil(): number | undefined {
    return this.#state === 'open' ? this.#until : undefined;
  }

  /** Whether the present pause, or the last one, is one that the far side asked for. */
  get asked(): boolean {
    return this.#asked;
  }

  /** How many tries may start now. Turns half-open when the pause is over. */
  room(now: number): number {
    if (this.#state === 'closed') return Number.POSITIVE_INFINITY;
    if (this.#state === 'open') {
      if (now < this.#until) return 0;
      this.#state = 'half-open';
      this.#probing = false;
    }
    return this.#probing ? 0 : 1;
  }

  /** A try starts. Returns whether it is the probe; to be handed back with its outcome. */
  start(): boolean {
    if (this.#state !== 'half-open') return false;
    this.#probing = true;
    return true;
  }

  /** A try was answered: accepted, or refused for what it held. */
  answered(probe: boolean): void {
    if (this.#state === 'closed') this.#failures = 0;
    // What was under way when the breaker opened says nothing about now.
    else if (probe && this.#state === 'half-open') this.#close();
  }

  /**
   * A try failed in a way that concerns the far side.
   * @param retryAfterMs the pause that it asked for, if it did
   */
  failed(probe: boolean, now: number, random: number, retryAfterMs?: number): void {
    if (retryAfterMs !== undefined) {
      // Tries that were under way together make one pause.
      const ownMs = this.#state === 'open' ? 0 : this.#nextPauseMs(random);
      this.#open(now + Math.max(retryAfterMs, ownMs), true);
    } else if (this.#state === 'closed') {
      this.#failures++;
      if (this.#policy.failures > 0 && this.#failures >= this.#policy.failures) this.#pause(now, random);
    } else if (probe) {
      this.#pause(now, random);
    }
  }

  /** The probe ended without an outcome. */
  released(probe: boolean): void {
    if (probe && this.#state === 'half-open') this.#probing = false;
  }

  /** There is reason to believe that the far side is back: probes at once, unless it asked for the pause. */
  hurry(now: number): void {
    if (this.#state === 'open' && !this.#asked) this.#until = Math.min(this.#until, now);
  }

  #pause(now: number, random: number): void {
    this.#open(now + this.#nextPauseMs(random), false);
  }

  #nextPauseMs(random: number): number {
    this.#pauses++;
    const { minMs, maxMs } = this.#policy;
    // Between half and all of the pause, so that many daemons do not probe in step.
    return Math.ceil(backoffMs(this.#pauses, minMs, maxMs) * (0.5 + random / 2));
  }

  #open(until: number, asked: boolean): void {
    const longer = this.#state !== 'open' || until > this.#until;
    if (longer) {
      this.#until = until;
      this.#asked = asked;
    }
    this.#state = 'open';
    this.#probing = false;
  }

  #close(): void {
    this.#state = 'closed';
    this.#failures = 0;
    this.#pauses = 0;
    this.#probing = false;
  }
}
