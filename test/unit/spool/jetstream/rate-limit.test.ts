import { describe, expect, test } from 'vitest';
import { lease } from '../../../../src/core/spool/jetstream/rate-limit.ts';

describe('a shared rate limit', () => {
  const limit = { perSecond: 10, burst: 5 };

  test('starts full, gives no more than there is, and fills with time', () => {
    const first = lease(undefined, 3, limit, 1000);
    expect(first).toEqual({ taken: 3, next: { tokens: 2, at: 1000 } });
    const second = lease(first.next, 3, limit, 1000);
    expect(second.taken).toBe(2);
    expect(lease(second.next, 1, limit, 1099).taken).toBe(0);
    expect(lease(second.next, 1, limit, 1100).taken).toBe(1);
    expect(lease(second.next, 100, limit, 999_999).taken).toBe(5);
  });

  test('a clock that is behind adds nothing', () => {
    const { next } = lease(undefined, 5, limit, 10_000);
    expect(lease(next, 1, limit, 5_000)).toEqual({ taken: 0, next: { tokens: 0, at: 10_000 } });
  });

  test('a clock that is far ahead stops nobody', () => {
    let state: ReturnType<typeof lease>['next'] | undefined;
    ({ next: state } = lease(state, 5, limit, 0));
    ({ next: state } = lease(state, 2, limit, 3_600_000));
    let taken = 0;
    for (let now = 1_000; now <= 60_000; now += 1_000) {
      const got = lease(state, 5, limit, now);
      state = got.next;
      taken += got.taken;
    }
    // The burst is what the bucket can give each second here.
    expect(taken).toBeGreaterThan(5 * 60 - 10);
  });

  test('replicas that take turns get the limit together, whatever they ask for', () => {
    let state: ReturnType<typeof lease>['next'] | undefined;
    let taken = 0;
    for (let now = 0; now <= 60_000; now += 37) {
      const got = lease(state, 1 + (now % 3), limit, now);
      state = got.next;
      taken += got.taken;
    }
    expect(taken).toBeGreaterThan(10 * 60 - 5);
    expect(taken).toBeLessThanOrEqual(10 * 60 + 5);
  });
});
