import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Breaker } from '../../src/core/delivery/breaker.ts';
import { TokenBucket } from '../../src/core/delivery/rate-limit.ts';
import { RetriableError } from '../../src/core/errors.ts';
import { MAX_RETRY_AFTER_MS, nextStep } from '../../src/core/retry.ts';

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('a wait between tries is whole, not negative, and within the limits', () => {
  fc.assert(
    fc.property(
      fc.record({
        maxAgeMs: fc.integer({ min: 0, max: 1e9 }),
        attempts: fc.integer({ min: 0, max: 50 }),
        minMs: fc.integer({ min: 0, max: 10_000 }),
        extraMs: fc.integer({ min: 0, max: 600_000 }),
      }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 0, max: 2e9 }),
      fc.option(fc.double({ noNaN: true }), { nil: undefined }),
      chance,
      ({ extraMs, ...limits }, attempt, ageMs, retryAfterMs, random) => {
        const policy = { ...limits, maxMs: limits.minMs + extraMs };
        const error = new RetriableError('later', { reason: 'network', retryAfterMs });
        const { retryInMs, giveUp } = nextStep(error, attempt, ageMs, policy, random);
        if (giveUp !== undefined) {
          expect(ageMs >= policy.maxAgeMs || attempt >= policy.attempts).toBe(true);
          return;
        }
        expect(Number.isInteger(retryInMs)).toBe(true);
        expect(retryInMs).toBeGreaterThanOrEqual(0);
        expect(retryInMs).toBeLessThanOrEqual(Math.max(policy.maxMs, MAX_RETRY_AFTER_MS + policy.minMs));
        expect(ageMs + retryInMs).toBeLessThanOrEqual(policy.maxAgeMs);
      },
    ),
    { numRuns: 300 },
  );
});

type Step = {
  waitMs: number;
  outcome: 'ok' | 'fail' | 'none';
  retryAfterMs: number | undefined;
  random: number;
};

test('a breaker that is not closed has one try under way at most, and none inside a pause', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    waitMs: fc.integer({ min: 0, max: 40_000 }),
    outcome: fc.constantFrom('ok', 'fail', 'fail', 'none'),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined, freq: 5 }),
    random: chance,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), steps => {
      const breaker = new Breaker({ failures: 3, minMs: 500, maxMs: 15_000 });
      const underWay: boolean[] = [];
      let now = 0;
      for (const { waitMs, outcome, retryAfterMs, random } of steps) {
        now += waitMs;
        const paused = breaker.pausedUntil;
        const room = breaker.room(now);
        if (paused !== undefined && now < paused) expect(room).toBe(0);
        if (paused !== undefined && now >= paused) expect(room).toBe(1);
        if (breaker.state !== 'closed' && underWay.includes(true)) expect(room).toBe(0);
        if (room > 0) underWay.push(breaker.start());
        const probe = underWay.shift();
        if (probe === undefined) continue;
        if (outcome === 'ok') breaker.answered(probe);
        else if (outcome === 'fail') breaker.failed(probe, now, random, retryAfterMs);
        else breaker.released(probe);
        const until = breaker.pausedUntil;
        if (until !== undefined && !breaker.asked) expect(until - now).toBeLessThanOrEqual(15_000);
      }
    }),
    { numRuns: 300 },
  );
});

test('a token bucket never lets more through than the rate and one burst', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.integer({ min: -50, max: 2000 }), { maxLength: 60 }),
      (perSecond, burst, waits) => {
        const bucket = new TokenBucket({ perSecond, burst }, 0);
        let now = 0;
        let elapsed = 0;
        let passed = 0;
        for (const wait of waits) {
          now += wait;
          elapsed += Math.max(0, wait);
          const available = bucket.available(now);
          bucket.take(available);
          passed += available;
          expect(passed).toBeLessThanOrEqual(burst + (perSecond * elapsed) / 1000 + 1e-6);
          expect(bucket.waitMs(now)).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 200 },
  );
});
