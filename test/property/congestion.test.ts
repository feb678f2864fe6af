import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CongestionWindow } from '../../src/core/delivery/congestion.ts';

const size = fc.integer({ min: 1, max: 5000 });

test('whatever is answered, at least one alert goes at once and never more than may', () => {
  fc.assert(
    fc.property(
      fc.record({ concurrency: size, batchItems: size, timeoutMs: fc.integer({ min: 1, max: 600_000 }) }),
      fc.array(
        fc.record({
          answered: fc.boolean(),
          reason: fc.constantFrom('timeout' as const, 'rate_limited' as const),
          tookMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
          alerts: size,
          fills: fc.boolean(),
        }),
        { maxLength: 300 },
      ),
      (limits, tries) => {
        const window = new CongestionWindow(limits);
        let startedAt = 0;
        for (const { answered, reason, tookMs, alerts, fills } of tries) {
          const one = { startedAt: startedAt++, deliveries: { length: alerts }, fills };
          if (answered) window.accepted(one, one.startedAt + tookMs);
          else window.failed(one, reason, one.startedAt + tookMs);
          for (const [value, most] of [
            [window.concurrency, limits.concurrency],
            [window.batchItems, limits.batchItems],
          ] as const) {
            expect(Number.isInteger(value)).toBe(true);
            expect(value).toBeGreaterThanOrEqual(1);
            expect(value).toBeLessThanOrEqual(most);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('quick answers bring back all of it, whatever was before', () => {
  fc.assert(
    fc.property(
      fc.record({
        concurrency: fc.integer({ min: 1, max: 500 }),
        batchItems: size,
        timeoutMs: fc.constant(1000),
      }),
      fc.integer({ min: 0, max: 30 }),
      (limits, failures) => {
        const window = new CongestionWindow(limits);
        let now = 0;
        const one = () => ({ startedAt: now, deliveries: { length: limits.batchItems }, fills: true });
        for (; failures > 0; failures--, now += 1000) window.failed(one(), 'timeout', now + 1000);
        for (let answers = 0; answers < limits.concurrency + 13; answers++) window.accepted(one(), ++now);
        expect(window.size).toBe(limits.concurrency * limits.batchItems);
      },
    ),
  );
});
