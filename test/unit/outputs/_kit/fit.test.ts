import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../../src/outputs/_kit/fields.ts';
import { fitInto, JSON_BYTES, type Measure } from '../../../../src/outputs/_kit/fit.ts';

const ROOM = { total: 1_000, title: 20, value: 100, items: 10, perFact: 6 };
const UNITS: Measure = { size: text => text.length, most: 1 };
const field = (title: string, value: string): Fact => ({ title, value, isField: true });
const sizeOf = (facts: readonly Fact[], size: (text: string) => number) =>
  facts.reduce((sum, { title, value }) => sum + size(title) + size(value) + ROOM.perFact, 0);

describe('fitInto', () => {
  test('changes nothing that fits', () => {
    const facts = [{ title: 'rule', value: 'R' }, field('a', '1'), { title: 'time', value: 'now' }];
    expect(fitInto('text', facts, ROOM)).toEqual({ text: 'text', facts });
  });

  test('says in the place of the last field how many are missing', () => {
    const fields = Array.from({ length: 30 }, (_, index) => field(`f${index}`, 'x'));
    const facts = [{ title: 'rule', value: 'R' }, ...fields, { title: 'time', value: 'now' }];
    const shown = fitInto('', facts, ROOM).facts;
    expect(shown.map(({ title }) => title)).toEqual([
      'rule',
      ...fields.slice(0, 7).map(({ title }) => title),
      '…',
      'time',
    ]);
    expect(shown.at(-2)!.value).toBe('23 more');
  });

  test('a long text takes what the fields do not need', () => {
    const { text, facts } = fitInto('x'.repeat(5_000), [field('a', '1')], ROOM);
    expect(text).toHaveLength(1_000 - 2 - ROOM.perFact);
    expect(facts).toEqual([field('a', '1')]);
  });

  test('a long text leaves half of the room to many fields', () => {
    const fields = Array.from({ length: 9 }, (_, index) => field(`f${index}`, 'y'.repeat(500)));
    const { text, facts } = fitInto('x'.repeat(5_000), fields, ROOM);
    expect(text).toHaveLength(500);
    expect(facts.length).toBeGreaterThan(3);
    expect(facts[0]!.value).toHaveLength(100);
  });

  test('never needs more than there is, whatever is counted', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '"', '\u0000', 'é', '漢', '😀'), maxLength: 600 });
    const list = fc.array(fc.tuple(texts, texts, fc.boolean()), { maxLength: 20 });
    const property = fc.property(texts, list, fc.constantFrom('units', 'json'), (text, entries, unit) => {
      const measure = unit === 'json' ? JSON_BYTES : UNITS;
      const { size } = measure;
      // Three facts at most are always there: they have to fit for the promise to hold.
      const facts = entries.map(([title, value, isField], index) => ({
        title,
        value,
        isField: isField || index > 2,
      }));
      const shown = fitInto(text, facts, { ...ROOM, measure });
      const exact = fitInto(text, facts, { ...ROOM, measure: { size, most: Number.POSITIVE_INFINITY } });
      expect(shown).toEqual(exact);
      expect(size(shown.text) + sizeOf(shown.facts, size)).toBeLessThanOrEqual(ROOM.total);
      expect(shown.facts.length).toBeLessThanOrEqual(ROOM.items);
      for (const part of [shown.text, ...shown.facts.flatMap(({ title, value }) => [title, value])]) {
        expect(part.isWellFormed()).toBe(true);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});
