import { describe, expect, test } from 'vitest';
import { alertData, parseTemplate, TemplateError } from '../../../src/core/template/index.ts';
import { ALERT } from './cases.ts';
import { alertFrom } from './support.ts';

const data = alertData(alertFrom(ALERT));

function failure(action: () => unknown): TemplateError {
  try {
    action();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('mistakes in the text of a template', () => {
  test.each([
    ['a\n\n{{ nosuch 1 }}', 3, 'function "nosuch" is not defined'],
    ['{{ $x }}', 1, 'variable "$x" is not defined'],
    ['a\n{{ .Rule\n', 2, 'an action is not closed; expected }}'],
    ['a\n{{ if .Rule }}\nx\n', 2, 'a block is not closed; expected {{end}}'],
    ['x {{ end }}', 1, '{{end}} without a block that it belongs to'],
    ['\n{{ if }}x{{ end }}', 2, 'a value is missing in if'],
    ['\n\n\n{{ "a\n" }}', 4, 'a quoted text is not closed'],
    ['{{ (print 1 }}', 1, 'a parenthesis is not closed'],
    ['{{ .Rule ! }}', 1, 'unexpected "!" in a command'],
    ['{{ 12x }}', 1, 'bad number "12x"'],
    ['{{ .Rule\u0001 }}', 1, 'unexpected "\\u0001" behind a name'],
  ])('%j', (text, line, reason) => {
    const error = failure(() => parseTemplate(text));
    expect(error.name).toBe('TemplateError');
    expect(error.message).toBe(`line ${line}: ${reason}`);
    expect([error.line, error.reason]).toEqual([line, reason]);
  });
});

describe('templates that do not fit the alert', () => {
  test.each([
    ['a\n{{ .Nope }}', 2, 'type types.FalcoPayload has no field Nope'],
    ['{{ if true }}\n{{ index .Tags 99 }}{{ end }}', 2, 'position 99 is out of range'],
    ['{{ template "t" . }}', 1, 'template "t" is not defined'],
    ['{{ define "t" }}\n\n{{ len 3 }}{{ end }}{{ template "t" }}', 3, 'a value of type int has no length'],
    ['{{ eq 1 "a" }}', 1, 'values of type int and string cannot be compared'],
    ['{{ .Time.Format }}', 1, 'Format got 0 arguments, needs 1'],
    ['{{ not 1 2 }}', 1, 'not got 2 arguments, needs 1'],
  ])('%j', (text, line, reason) => {
    expect(failure(() => parseTemplate(text).render(data)).message).toBe(`line ${line}: ${reason}`);
  });

  test('an error does not quote the alert', () => {
    const error = failure(() =>
      parseTemplate('{{ index .OutputFields.proc "x" }}{{ len .Nope }}').render(data),
    );
    expect(error.message).not.toContain('sh"');
    expect(error.message).toBe('line 1: a position must be a whole number, not string');
  });
});
