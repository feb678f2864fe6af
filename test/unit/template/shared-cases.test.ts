/**
 * Runs a file of cases made with Go itself, when TIERCEL_TEMPLATE_CASES names one:
 * `{ alerts: { name: alert }, cases: [{ template, alert, result: ok | parse-error | exec-error, output }] }`.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseExact } from '../../../src/core/alert/json.ts';
import { alertData, parseTemplate, TemplateError } from '../../../src/core/template/index.ts';
import { alertFrom } from './support.ts';

interface Case {
  template: string;
  alert: string;
  result: 'ok' | 'parse-error' | 'exec-error';
  output?: string;
}

const path = process.env.TIERCEL_TEMPLATE_CASES;

describe.skipIf(!path)('cases made with Go', () => {
  const file = path
    ? (parseExact(readFileSync(path, 'utf8')) as unknown as Cases)
    : { alerts: {}, cases: [] };

  test.each(file.cases)('$alert: $template', ({ template, alert, result, output }) => {
    const data = alertData(alertFrom(JSON.stringify(file.alerts[alert])));
    if (result === 'parse-error') {
      expect(() => parseTemplate(template)).toThrow(TemplateError);
      return;
    }
    const parsed = parseTemplate(template);
    if (result === 'exec-error') expect(() => parsed.render(data)).toThrow(TemplateError);
    else expect(parsed.render(data)).toBe(output ?? '');
  });
});

interface Cases {
  alerts: Record<string, unknown>;
  cases: Case[];
}
