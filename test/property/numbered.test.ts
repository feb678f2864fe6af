/** Held against a plain Map: what is in, in which order, and which is the lowest. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Numbered } from '../../src/core/numbered.ts';

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

function compare(numbered: Numbered<Value>, model: ReadonlyMap<number, Value>): void {
  expect(numbered.size).toBe(model.size);
  expect(numbered.lowest).toBe(model.keys().next().value);
  expect([...numbered.entries()]).toEqual([...model]);
  expect([...numbered.numbers()]).toEqual([...model.keys()]);
  expect([...numbered.values()]).toEqual([...model.values()]);
}

describe('numbered values', () => {
  test('behave like a map whose numbers ascend', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.array(step, { maxLength: 200 }), (first, steps) => {
        const numbered = new Numbered<Value>();
        const model = new Map<number, Value>();
        let newest = first;
        let id = 0;
        for (const one of steps) {
          const held = [...model.keys()];
          if ('add' in one) {
            newest += one.add;
            const value = { id: id++ };
            numbered.set(newest, value);
            model.set(newest, value);
          } else if (held.length === 0) {
            expect(numbered.delete(newest)).toBe(false);
          } else if ('remove' in one) {
            const number = held[one.remove % held.length]!;
            expect(numbered.delete(number)).toBe(model.delete(number));
            expect(numbered.delete(number)).toBe(false);
            expect(numbered.get(number)).toBeUndefined();
          } else {
            const number = held[one.replace % held.length]!;
            const value = { id: id++ };
            numbered.set(number, value);
            model.set(number, value);
          }
          expect(numbered.size).toBe(model.size);
        }
        for (const [number, value] of model) expect(numbered.get(number)).toBe(value);
        compare(numbered, model);
      }),
    );
  });

  test('one that stays does not keep those behind it', () => {
    const numbered = new Numbered<Value>();
    numbered.set(7, { id: 7 });
    for (let number = 8; number < 100_000; number++) {
      numbered.set(number, { id: number });
      if (number > 20) numbered.delete(number - 10);
    }
    expect(numbered.size).toBe(1 + 3 + 10);
    expect(numbered.lowest).toBe(7);
    expect(numbered.get(50_000)).toBeUndefined();
  });

  test('a number below the newest that has no value is refused', () => {
    const numbered = new Numbered<Value>();
    numbered.set(5, { id: 5 });
    expect(() => numbered.set(4, { id: 4 })).toThrow(RangeError);
    numbered.set(9, { id: 9 });
    expect(() => numbered.set(7, { id: 7 })).toThrow(RangeError);
  });
});
