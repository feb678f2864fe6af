/** Held against a plain Map: what is in, in which order, and which is the lowest. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlidingWindow } from '../../src/core/sliding-window.ts';

interface Value {
  id: number;
}

/** Steps ahead of the newest number, some beyond what the ring spans, and which of those held to take out or replace. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ add: fc.constantFrom(100, 8191, 8192, 20_000) }) },
  { weight: 5, arbitrary: fc.record({ remove: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ replace: fc.nat() }) },
);

function compare(window: SlidingWindow<Value>, model: ReadonlyMap<number, Value>): void {
  expect(window.size).toBe(model.size);
  expect(window.lowest).toBe(model.keys().next().value);
  expect([...window.entries()]).toEqual([...model]);
  expect([...window.keys()]).toEqual([...model.keys()]);
  expect([...window.values()]).toEqual([...model.values()]);
}

describe('a sliding window', () => {
  test('behaves like a map whose numbers ascend', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.array(step, { maxLength: 200 }), (first, steps) => {
        const window = new SlidingWindow<Value>();
        const model = new Map<number, Value>();
        let newest = first;
        let id = 0;
        for (const one of steps) {
          const held = [...model.keys()];
          if ('add' in one) {
            newest += one.add;
            const value = { id: id++ };
            window.set(newest, value);
            model.set(newest, value);
          } else if (held.length === 0) {
            expect(window.delete(newest)).toBe(false);
          } else if ('remove' in one) {
            const number = held[one.remove % held.length]!;
            expect(window.delete(number)).toBe(model.delete(number));
            expect(window.delete(number)).toBe(false);
            expect(window.get(number)).toBeUndefined();
          } else {
            const number = held[one.replace % held.length]!;
            const value = { id: id++ };
            window.set(number, value);
            model.set(number, value);
          }
          expect(window.size).toBe(model.size);
        }
        for (const [number, value] of model) expect(window.get(number)).toBe(value);
        compare(window, model);
      }),
    );
  });

  test('one that stays does not keep those behind it', () => {
    const window = new SlidingWindow<Value>();
    window.set(7, { id: 7 });
    for (let number = 8; number < 100_000; number++) {
      window.set(number, { id: number });
      if (number > 20) window.delete(number - 10);
    }
    expect(window.size).toBe(1 + 3 + 10);
    expect(window.lowest).toBe(7);
    expect(window.get(50_000)).toBeUndefined();
  });

  test('a number below the newest that has no value is refused', () => {
    const window = new SlidingWindow<Value>();
    window.set(5, { id: 5 });
    expect(() => window.set(4, { id: 4 })).toThrow(RangeError);
    window.set(9, { id: 9 });
    expect(() => window.set(7, { id: 7 })).toThrow(RangeError);
  });
});
