/** The short way to the inner object of an alert finds what reading all of it finds, or nothing. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isJsonObject } from '../../src/core/alert/json.ts';
import { innerObjectSpan, memberSpans } from '../../src/core/alert/scan.ts';

const space = fc.constantFrom('', '', '', ' ', '\n\t');
const word = fc.string({ unit: fc.constantFrom('a', '{', '}', '"', '\\', ',', ':', '[', 'é'), maxLength: 6 });
const plainWord = fc.string({ unit: fc.constantFrom('a', '"', '\\', ',', ':', '[', 'é'), maxLength: 6 });
const text = fc.oneof(plainWord, plainWord, word).map(value => JSON.stringify(value));
const fields = fc.array(fc.tuple(text, fc.oneof(text, fc.constantFrom('1.50', 'null', '[]', '{}', '[{}]'))), {
  maxLength: 4,
});
const value = fc.oneof(text, fc.constantFrom('null', '7', '["a","}"]', '{"b":1}'));

/** The text of an alert, members in any order, twice, with any space between. */
const alert = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom('rule', 'output_fields', 'output\\u005ffields', 'tags'), value), {
      maxLength: 3,
    }),
    fields,
    fc.nat(3),
    fc.array(space, { minLength: 4, maxLength: 4 }),
  )
  .map(([members, inner, place, [a = '', b = '', c = '', d = '']]) => {
    const object = `{${inner.map(([key, one]) => `${a}${key}${b}:${c}${one}`).join(`${d},`)}${a}}`;
    const all = members.map(([key, one]) => `"${key}"${b}:${c}${one}${a}`);
    all.splice(place, 0, `"output_fields"${a}:${b}${object}${c}`);
    return `${d}{${a}${all.join(`,${b}`)}${c}}${d}`;
  });

it('agrees with the spans of all members', () => {
  let found = 0;
  fc.assert(
    fc.property(alert, json => {
      const { output_fields: parsed } = JSON.parse(json);
      fc.pre(isJsonObject(parsed));
      const span = innerObjectSpan(json);
      if (!span) return;
      found++;
      const whole = memberSpans(json).findLast(({ key }) => key === 'output_fields')!;
      expect(json.slice(span.start, span.end)).toBe(json.slice(whole.start, whole.end));
    }),
    { numRuns: 5000 },
  );
  expect(found).toBeGreaterThan(500);
});
