import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Alert } from '../../src/core/alert/alert.ts';
import { alertData, fieldsData, parseTemplate, TemplateError } from '../../src/core/template/index.ts';
import { alertFrom } from '../unit/template/support.ts';

const RUNS = 1500;
const MAX_OUTPUT = 256 * 1024;

const alert: fc.Arbitrary<Alert> = fc
  .record({
    uuid: fc.uuid(),
    output: fc.string({ unit: 'grapheme' }),
    priority: fc.constantFrom('debug', 'Warning', 'emergency'),
    rule: fc.string({ minLength: 1, unit: 'binary' }),
    time: fc.constantFrom('2024-02-29T23:59:59.5Z', '0001-01-01T00:00:00-03:30', '9999-12-31T00:00:00+14:00'),
    source: fc.string(),
    hostname: fc.string(),
    tags: fc.array(fc.string()),
    output_fields: fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('user', 'list', 'map', '__proto__', 'constructor')),
      fc.jsonValue({ maxDepth: 4 }),
    ),
  })
  .map(value => alertFrom(JSON.stringify(value)));

// Pieces from which sense and nonsense can be put together.
const piece = fc.oneof(
  fc.constantFrom(
    '{{',
    '}}',
    '{{-',
    ' -}}',
    '(',
    ')',
    '|',
    ' ',
    '\n',
    '.',
    '$',
    ':=',
    '=',
    ',',
    '"',
    '`',
    "'",
  ),
  fc.constantFrom(
    'if ',
    'else',
    'end',
    'range ',
    'with ',
    'define "t"',
    'template "t" ',
    'block "b" ',
    'break',
    'nil',
  ),
  fc.constantFrom(
    '.Rule',
    '.Tags',
    '.OutputFields',
    '.Time',
    '.Priority',
    '.Output',
    '$x',
    '$i',
    '.Time.Format ',
  ),
  fc.constantFrom(
    'index ',
    'slice ',
    'len ',
    'printf ',
    'print ',
    'eq ',
    'lt ',
    'and ',
    'or ',
    'not ',
    'html ',
    'js ',
  ),
  fc.constantFrom(
    '"%5.2f"',
    '"%v %s %q"',
    '"%*d"',
    '"%[2]x"',
    '"user"',
    '1',
    '-1',
    '1e9',
    "'a'",
    'true',
    '99999',
  ),
  fc.constantFrom(
    '{{ end }}',
    '{{ else }}',
    '{{ range 9 }}',
    '{{ if . }}',
    '{{ with .Tags }}',
    '{{ $x := 1 }}',
  ),
  fc.string({ maxLength: 5, unit: 'binary' }),
);
const template = fc.oneof(
  fc.array(piece, { maxLength: 25 }).map(pieces => pieces.join('')),
  fc.array(piece, { minLength: 1, maxLength: 8 }).map(pieces => `{{ ${pieces.join(' ')} }}`),
  fc.array(piece, { maxLength: 8 }).map(pieces => `{{ range . }}{{ ${pieces.join(' ')} }}{{ end }}`),
);

/** The text, or undefined for a TemplateError; anything else thrown fails the property. */
function attempt(text: string, data: Parameters<ReturnType<typeof parseTemplate>['render']>[0]) {
  try {
    return parseTemplate(text).render(data);
  } catch (error) {
    if (error instanceof TemplateError) return undefined;
    throw error;
  }
}

test('whatever the template, it renders within bounds or throws a TemplateError', () => {
  fc.assert(
    fc.property(template, alert, (text, value) => {
      const output = attempt(text, alertData(value));
      expect(output?.length ?? 0).toBeLessThanOrEqual(MAX_OUTPUT);
      attempt(text, fieldsData(Object.entries(value.outputFields)));
    }),
    { numRuns: RUNS },
  );
});

describe('whatever the alert', () => {
  test.each([
    'Rule *{{ .Rule }}* by *{{ index .OutputFields "user" }}*',
    '{{ range $k, $v := .OutputFields }}{{ $k }}={{ $v }} {{ end }}{{ .OutputFields }}',
    '{{ .OutputFields | printf "%v %s %q %d %x %5.1v %T" }}',
    '{{ .Output | html }}{{ .Output | js }}{{ .Output | urlquery }}{{ .Output | printf "%-9.3q" }}',
    '{{ if .Tags }}{{ range $i, $t := .Tags }}{{ if $i }}, {{ end }}{{ $t }}{{ end }}{{ else }}none{{ end }}',
    '{{ .Time }} {{ .Time.Format "Mon Jan _2 15:04:05.000 MST 2006" }} {{ .Time.UTC.Unix }} {{ .Priority }}',
    '{{ with .OutputFields.__proto__ }}{{ printf "%v" . }}{{ end }}{{ .OutputFields.constructor }}',
    '{{ len .Rule }}{{ slice .Rule 0 (len .Rule) }}{{ eq .Rule .Output }}{{ lt .Rule .Output }}{{ . }}',
  ])('%s renders', text => {
    const parsed = parseTemplate(text);
    fc.assert(
      fc.property(alert, value => {
        expect(typeof parsed.render(alertData(value))).toBe('string');
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    '{{ index .OutputFields "map" "k" }}',
    '{{ range .OutputFields.user }}{{ .x }}{{ end }}',
    '{{ index .Tags 0 }}',
  ])('%s renders or throws a TemplateError', text => {
    fc.assert(
      fc.property(alert, value => {
        attempt(text, alertData(value));
      }),
      { numRuns: 300 },
    );
  });
});

test('text without an action comes out as it is', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).filter(text => !text.includes('{{')),
      text => {
        expect(parseTemplate(text).render({ root: undefined })).toBe(text);
      },
    ),
  );
});

test('what printf %q writes is a literal that reads back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const quoted = parseTemplate('{{ printf "%q" .v }}').render(fieldsData([['v', text]]));
      expect(parseTemplate(`{{ ${quoted} }}`).render({ root: undefined })).toBe(text);
      const ascii = parseTemplate('{{ printf "%+q" .v }}').render(fieldsData([['v', text]]));
      expect(ascii).toMatch(/^[\x20-\x7e]*$/);
      expect(parseTemplate(`{{ ${ascii} }}`).render({ root: undefined })).toBe(text);
    }),
    { numRuns: RUNS },
  );
});

test('every number keeps its text', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.bigInt().map(String),
        fc.tuple(fc.integer(), fc.stringMatching(/^[0-9]{1,20}$/)).map(([whole, part]) => `${whole}.${part}`),
      ),
      number => {
        const text = `{"rule":"r","priority":"debug","time":"2026-01-01T00:00:00Z","output_fields":{"n":${number}}}`;
        const rendered = parseTemplate('{{ .OutputFields.n }}').render(alertData(alertFrom(text)));
        expect(rendered).toBe(number);
      },
    ),
    { numRuns: RUNS },
  );
});

test('a double printed in full reads back as the same double', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), number => {
      const literal = Object.is(number, -0) ? '-0.0' : number.toExponential();
      const [general, value, exact] = parseTemplate(
        `{{ printf "%g %v %.17e" ${literal} ${literal} ${literal} }}`,
      )
        .render({ root: undefined })
        .split(' ');
      expect(Number(general)).toBe(number);
      expect(Number(value)).toBe(number);
      expect(Number(exact)).toBe(number);
    }),
    { numRuns: RUNS },
  );
});
