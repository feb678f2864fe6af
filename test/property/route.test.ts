import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileFilter, type Match, parseMatch } from '../../src/core/route.ts';
import { alertOf } from '../support/alerts.ts';
import { alertText, anyText } from '../support/arbitraries.ts';

const RUNS = { numRuns: 400 };

const scalar = fc.oneof(anyText, fc.constantFrom('*', 'a*b', '?x', 5, true), fc.integer());
const condition = fc.letrec<{ any: unknown }>(tie => ({
  any: fc.oneof(
    { maxDepth: 2 },
    scalar,
    fc.array(scalar, { minLength: 1, maxLength: 3 }),
    fc.record(
      {
        exact: scalar,
        glob: anyText,
        regex: fc.constantFrom('a|b', '^.*$', '[x-z]+', '(?i)é', '\\d{2,3}'),
        in: fc.array(scalar, { minLength: 1, maxLength: 3 }),
        exists: fc.boolean(),
        not: tie('any'),
      },
      { requiredKeys: ['exists'] },
    ),
  ),
})).any;
const key = fc.constantFrom(
  'rule',
  'tags',
  'source',
  'hostname',
  'output',
  'namespace',
  'pod',
  'a',
  '__proto__',
  'length',
);
const match = fc.array(fc.dictionary(key, condition, { minKeys: 1, maxKeys: 3 }), { maxLength: 3 });

it('no alert makes a filter throw', () => {
  fc.assert(
    fc.property(match, alertText, (value, text) => {
      const { matches, problems } = parseMatch(value);
      expect(problems).toEqual([]);
      const alert = alertOf(text);
      const selection = { minimumPriority: 'Notice' as const, match: matches };
      expect(compileFilter(selection)(alert)).toBeTypeOf('boolean');
    }),
    RUNS,
  );
});

it('what parseMatch accepts can be compiled, whatever it was given', () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.array(fc.dictionary(key, fc.jsonValue()))), value => {
      const { matches, problems } = parseMatch(value);
      if (problems.length === 0) compileFilter({ minimumPriority: '', match: matches });
    }),
    RUNS,
  );
});

it('not turns a condition around', () => {
  fc.assert(
    fc.property(key, condition, alertText, (name, value, text) => {
      const alert = alertOf(text);
      const takes = (wanted: unknown) =>
        compileFilter({ minimumPriority: '', match: [{ [name]: wanted }] as Match[] })(alert);
      if (alert.rule !== 'Test rule') expect(takes({ not: value })).toBe(!takes(value));
    }),
    RUNS,
  );
});

it('globs agree with the regular expression that they stand for', () => {
  const texts = (...signs: string[]) => fc.array(fc.constantFrom(...signs), { maxLength: 5 });
  // Few signs, so that parts of a pattern overlap in the text.
  const cases = fc.oneof(
    fc.tuple(texts('a', '*'), texts('a')),
    fc.tuple(texts('a', 'b', '*', '?', '.'), texts('a', 'b', '.', '\n', '🚀')),
  );
  fc.assert(
    fc.property(cases, ([signs, units]) => {
      const text = units.join('');
      const source = signs
        .map(one => (one === '*' ? '.*' : one === '?' ? '.' : one === '.' ? '\\.' : one))
        .join('');
      const alert = alertOf(
        JSON.stringify({
          rule: 'R',
          priority: 'Error',
          time: '2026-01-31T12:00:00Z',
          output_fields: { f: text },
        }),
      );
      const takes = compileFilter({ minimumPriority: '', match: [{ f: { glob: signs.join('') } }] })(alert);
      expect(takes).toBe(new RegExp(`^${source}$`, 'su').test(text));
    }),
    { numRuns: 2000 },
  );
});
