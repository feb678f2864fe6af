import { describe, expect, test } from 'vitest';
import { alertData, parseTemplate, TemplateError } from '../../../src/core/template/index.ts';
import { ALERT } from './cases.ts';
import { alertFrom } from './support.ts';

const data = alertData(alertFrom(ALERT));
const KIB = 1024;

describe('a template cannot cost more than its bounds', () => {
  test.each([
    ['a long loop', '{{ range 9000000000000000000 }}{{ end }}', /steps/],
    ['loops in loops', '{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}', /steps/],
    ['endless recursion', '{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}', /deeper/],
    [
      'recursion through blocks and parentheses',
      '{{ define "t" }}{{ range 2 }}{{ with (((.))) }}{{ template "t" . }}{{ end }}{{ end }}{{ end }}{{ template "t" 1 }}',
      /steps|deeper/,
    ],
    ['a long output', '{{ range 5000 }}{{ printf "%100d" 1 }}{{ end }}', /longer/],
    ['a text that doubles', '{{ $x := "ab" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}', /longer/],
    [
      'a text that doubles by escaping',
      '{{ $x := "<" }}{{ range 99 }}{{ $x = html $x $x }}{{ end }}',
      /longer/,
    ],
    ['a wide number', '{{ $x := printf "%999999d" 1 }}', /longer/],
    ['a width from an argument', '{{ $x := printf "%*s" 999999 "x" }}', /longer/],
    ['a precise number', '{{ $x := printf "%.999999f" 1.5 }}', /longer/],
    ['much work on long texts', '{{ range 90000 }}{{ $x := printf "%9999d" 1 }}{{ end }}', /steps/],
    [
      'long time layouts',
      '{{ $l := printf "%9999d" 1 }}{{ range 90000 }}{{ $x := $.Time.Format $l }}{{ end }}',
      /steps/,
    ],
    ['a time beyond the calendar', '{{ .Time.AddDate 999999999999 0 0 }}', /calendar/],
  ])('%s', (_name, text, reason) => {
    const template = parseTemplate(text);
    expect(() => template.render(data)).toThrow(TemplateError);
    expect(() => template.render(data)).toThrow(reason);
  });

  test('an alert larger than the output limit can be cut, not printed', () => {
    const fields = { big: 'é<'.repeat(300 * KIB) };
    const big = alertData(
      alertFrom(
        JSON.stringify({ rule: 'r', priority: 'debug', time: '2026-01-01T00:00:00Z', output_fields: fields }),
      ),
    );
    expect(parseTemplate('{{ printf "%.3s" .OutputFields.big }}').render(big)).toBe('é<é');
    expect(parseTemplate('{{ slice .OutputFields.big 0 3 }}').render(big)).toBe('é<');
    expect(() => parseTemplate('{{ .OutputFields.big }}').render(big)).toThrow(/longer/);
    expect(() => parseTemplate('{{ .OutputFields.big | html | len }}').render(big)).toThrow(/longer/);
  });

  test.each([
    ['parentheses', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`],
    ['blocks', '{{if 1}}'.repeat(5000) + '{{end}}'.repeat(5000)],
  ])('deeply nested %s are refused when parsed', (_name, text) => {
    expect(() => parseTemplate(text)).toThrow(/nested deeper/);
  });

  test('a long chain of else if is not nesting', () => {
    const chain = Array.from({ length: 2000 }, (_, i) => `{{ else if eq . ${i} }}${i}`).join('');
    expect(parseTemplate(`{{ with 1999 }}{{ if false }}${chain}{{ end }}{{ end }}`).render(data)).toBe(
      '1999',
    );
  });

  test('deep data prints', () => {
    const depth = 400;
    const text = `{"rule":"r","priority":"debug","time":"2026-01-01T00:00:00Z","output_fields":{"d":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    expect(parseTemplate('{{ .OutputFields.d }}').render(alertData(alertFrom(text)))).toBe(
      '['.repeat(depth) + ']'.repeat(depth),
    );
  });
});

test('a template can be rendered again after it failed, and gives the same text each time', () => {
  const template = parseTemplate(
    '{{ $n := 0 }}{{ range .Tags }}{{ $n = len . }}{{ end }}{{ $n }}{{ index .Tags 1 }}',
  );
  const bare = alertData(alertFrom('{"rule":"r","priority":"debug","time":"2026-01-01T00:00:00Z"}'));
  expect(template.render(data)).toBe('5mitre');
  expect(() => template.render(bare)).toThrow(TemplateError);
  expect(template.render(data)).toBe('5mitre');
});
