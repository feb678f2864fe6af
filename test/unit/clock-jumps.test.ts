import { beforeEach, describe, expect, test } from 'vitest';
import { ClockJumps } from '../../src/core/clock-jumps.ts';

const START = Date.parse('2026-01-31T12:00:00Z');
const HOUR_MS = 3_600_000;

describe('the age of a stamp', () => {
  let wall: number;
  let monotonic: number;
  let jumps: ClockJumps;
  const pass = (ms: number) => {
    wall += ms;
    monotonic += ms;
  };
  /** The clock is set by so much, which is seen a second later. */
  const set = (ms: number) => {
    wall += ms;
    pass(1000);
    jumps.look();
  };
  const age = (stamp: number) => jumps.look() - jumps.adjusted(stamp);

  beforeEach(() => {
    wall = START;
    monotonic = 0;
    jumps = new ClockJumps({ now: () => wall, monotonic: () => monotonic });
  });

  test('has no jump forward in it', () => {
    set(50 * HOUR_MS);
    pass(HOUR_MS);
    expect(age(START)).toBe(HOUR_MS + 1000);
  });

  test('is right again when the clock is set back to where it was', () => {
    set(1000 * HOUR_MS);
    pass(HOUR_MS);
    set(-1000 * HOUR_MS);
    expect(age(START)).toBe(HOUR_MS + 2000);
  });

  test('keeps what is left of jumps when the clock is set back by a part of them', () => {
    set(10 * HOUR_MS);
    set(5 * HOUR_MS);
    set(-7 * HOUR_MS);
    expect(age(START)).toBe(3000);
  });
});
