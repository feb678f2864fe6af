import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DraftFields } from '../../../src/core/alert/fields.ts';
import { alertData, fieldsData, parseTemplate } from '../../../src/core/template/index.ts';
import { toJson } from '../../../src/core/template/to-json.ts';
import { fieldsText } from '../../support/arbitraries.ts';
import { alertFrom } from './support.ts';

const alert = alertFrom(
  '{"rule":"a \\"b\\" <c>","priority":"Warning","time":"2026-01-31T12:00:00.250-03:30","output":"line\\nline","tags":["x","ü"],"output_fields":{"n":1743606903434319636,"f":12.50,"none":null,"list":[1,{"b":2,"a":true}]}}',
);
const render = (template: string) => parseTemplate(template).render(alertData(alert));

describe('toJson', () => {
  test.each([
    ['.Rule', '"a \\"b\\" <c>"'],
    ['.Output', '"line\\nline"'],
    ['.Priority', '"Warning"'],
    ['.Time', '"2026-01-31T12:00:00.25-03:30"'],
    ['.Time.Month', '"January"'],
    ['.Time.Year', '2026'],
    ['.Tags', '["x","ü"]'],
    ['(len .Tags)', '2'],
    ['(index .OutputFields "n")', '1743606903434319636'],
    ['(index .OutputFields "f")', '12.50'],
    ['(index .OutputFields "none")', 'null'],
    ['(index .OutputFields "absent")', 'null'],
    ['(index .OutputFields "list")', '[1,{"a":true,"b":2}]'],
    ['true', 'true'],
    ['1.5', '1.5'],
    ['.', alert.json],
  ])('%s', (expression, expected) => {
    expect(render(`{{ toJson ${expression} }}`)).toBe(expected);
    expect(render(`{{ ${expression} | toJson }}`)).toBe(expected);
  });

  test('gives the same value for any fields', () => {
    fc.assert(
      fc.property(fieldsText, text => {
        const fields = new DraftFields(text).entries();
        const rendered = toJson(fieldsData(fields).root);
        expect(JSON.parse(rendered)).toEqual(Object.fromEntries(Object.entries(JSON.parse(text) as object)));
      }),
      { numRuns: 300 },
    );
  });

  test('takes one value', () => {
    expect(() => render('{{ toJson }}')).toThrow(/toJson/);
  });
});
