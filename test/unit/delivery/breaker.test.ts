import { beforeEach, describe, expect, test } from 'vitest';
import { Breaker } from '../../../src/core/delivery/breaker.ts';

const policy = { failures: 3, minMs: 1000, maxMs: 8000 };
let breaker: Breaker;
beforeEach(() => {
  breaker = new Breaker(policy);
});

function failTimes(times: number, now = 0): void {
  for (let left = times; left > 0; left--) breaker.failed(breaker.start(), now, 1);
}

describe('breaker', () => {
  test('lets everything through while it is closed', () => {
    expect(breaker.room(0)).toBe(Number.POSITIVE_INFINITY);
    expect(breaker.pausedUntil).toBeUndefined();
  });

  test('opens after the given failures in a row, not before', () => {
    failTimes(2);
    breaker.answered(false);
    failTimes(2);
    expect(breaker.state).toBe('closed');
    failTimes(1);
    expect(breaker.state).toBe('open');
    expect(breaker.room(999)).toBe(0);
  });

  test('lets one probe through after the pause', () => {
    failTimes(3);
    expect(breaker.room(1000)).toBe(1);
    expect(breaker.state).toBe('half-open');
    expect(breaker.start()).toBe(true);
    expect(breaker.room(5000)).toBe(0);
  });

  test('closes when the probe gets through', () => {
    failTimes(3);
    breaker.room(1000);
    breaker.answered(breaker.start());
    expect(breaker.state).toBe('closed');
  });

  test('pauses grow with each failed probe up to the longest', () => {
    failTimes(3);
    const pauses: number[] = [];
    let now = 0;
    for (let probes = 0; probes < 5; probes++) {
      pauses.push(breaker.pausedUntil! - now);
      now = breaker.pausedUntil!;
      breaker.room(now);
      breaker.failed(breaker.start(), now, 1);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 8000]);
  });

  test('a pause is cut by half at most by chance', () => {
    for (let left = 3; left > 0; left--) breaker.failed(false, 0, 0);
    expect(breaker.pausedUntil).toBe(500);
  });

  test('after a recovery it is as patient as at first', () => {
    failTimes(3);
    breaker.room(1000);
    breaker.failed(breaker.start(), 1000, 1);
    breaker.room(3000);
    breaker.answered(breaker.start());
    failTimes(2, 3000);
    expect(breaker.state).toBe('closed');
    failTimes(1, 3000);
    expect(breaker.pausedUntil).toBe(4000);
  });

  test('what was under way before the pause neither closes nor prolongs it', () => {
    const straggler = breaker.start();
    failTimes(3);
    breaker.answered(straggler);
    breaker.failed(straggler, 900, 1);
    expect(breaker.state).toBe('open');
    expect(breaker.pausedUntil).toBe(1000);
  });

  test('a pause that the far side asks for begins with the first such answer', () => {
    breaker.failed(breaker.start(), 100, 0.5, 2000);
    expect(breaker.state).toBe('open');
    expect(breaker.asked).toBe(true);
    expect(breaker.room(2099)).toBe(0);
    expect(breaker.room(2100)).toBe(1);
  });

  test('a pause that the far side asks for is never shorter than its own, which grows the same', () => {
    const pauses: number[] = [];
    let now = 0;
    for (let probes = 0; probes < 5; probes++) {
      breaker.failed(breaker.start(), now, 1, 1);
      pauses.push(breaker.pausedUntil! - now);
      now = breaker.pausedUntil!;
      breaker.room(now);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 8000]);
  });

  test('tries under way together ask for one pause', () => {
    for (let tries = 0; tries < 5; tries++) breaker.failed(false, 0, 1, 100);
    expect(breaker.pausedUntil).toBe(1000);
  });

  test('a later answer may prolong an asked pause, not cut it', () => {
    breaker.failed(false, 0, 0.5, 2000);
    breaker.failed(false, 50, 0.5, 1000);
    expect(breaker.pausedUntil).toBe(2000);
    breaker.failed(false, 100, 0.5, 5000);
    expect(breaker.pausedUntil).toBe(5100);
  });

  test('a probe without an outcome makes way for another', () => {
    failTimes(3);
    breaker.room(1000);
    breaker.released(breaker.start());
    expect(breaker.room(1000)).toBe(1);
  });

  test('a probe that gets through does not end a pause that was asked for meanwhile', () => {
    const straggler = breaker.start();
    failTimes(3);
    breaker.room(1000);
    const probe = breaker.start();
    breaker.failed(straggler, 1010, 1, 60_000);
    breaker.answered(probe);
    expect(breaker.room(1020)).toBe(0);
    expect(breaker.pausedUntil).toBe(61_010);
  });

  test('can be hurried, but not out of a pause that was asked for', () => {
    failTimes(3);
    breaker.hurry(10);
    expect(breaker.room(10)).toBe(1);
    breaker.failed(breaker.start(), 10, 1, 3000);
    breaker.hurry(20);
    expect(breaker.room(20)).toBe(0);
  });
});
