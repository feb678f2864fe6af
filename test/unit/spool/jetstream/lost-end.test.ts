import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lostFrom, nanosOf } from '../../../../src/core/spool/jetstream/lost-end.ts';

describe('what a stream has lost', () => {
  const nat = (max: number) => fc.nat({ max });

  test('begins with the lowest sequence that is known and not there, whatever the order and the beginning', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 500 })),
        nat(600),
        async (sequences, left) => {
          const known = sequences.map(offset => ({ offset, storedAt: offset * 10 }));
          const lost = sequences.filter(offset => offset > left);
          const from = await lostFrom(known, async ({ offset }) => offset <= left);
          expect(from).toBe(Math.min(...lost));
        },
      ),
    );
  });

  test('is nothing when the newest message is there, though limits have removed the oldest', async () => {
    const known = [5, 9, 7].map(offset => ({ offset, storedAt: 1 }));
    let asked = 0;
    const isThere = async ({ offset }: { offset: number }) => {
      asked++;
      return offset === 9;
    };
    expect(await lostFrom(known, isThere)).toBe(Number.POSITIVE_INFINITY);
    expect(await lostFrom([], isThere)).toBe(Number.POSITIVE_INFINITY);
    expect(asked).toBe(1);
  });

  test.each([
    ['2026-11-23T22:20:20.215123456Z', '1795472420215123456'],
    ['2026-11-23T22:20:20.2Z', '1795472420200000000'],
    ['2026-11-23T22:20:20Z', '1795472420000000000'],
    ['2026-11-23T23:20:20.000000001+01:00', '1795472420000000001'],
  ])('a time as the server writes it and as it is in a reply subject: %s', (timestamp, nanos) => {
    expect(nanosOf(timestamp)).toBe(Number.parseInt(nanos, 10));
  });
});
