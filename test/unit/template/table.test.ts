import { describe, expect, test } from 'vitest';
import { alertData, parseTemplate, TemplateError } from '../../../src/core/template/index.ts';
import { ALERT, CASES } from './cases.ts';
import { alertFrom } from './support.ts';

const data = alertData(alertFrom(ALERT));

describe.each(Object.entries(CASES))('%s', (_feature, cases) => {
  test.each(Object.entries(cases))('%j', (template, outcome) => {
    if (typeof outcome !== 'string' && outcome.error === 'parse') {
      expect(() => parseTemplate(template)).toThrow(TemplateError);
      return;
    }
    const parsed = parseTemplate(template);
    if (typeof outcome !== 'string') expect(() => parsed.render(data)).toThrow(TemplateError);
    else expect(parsed.render(data)).toBe(outcome);
  });
});
