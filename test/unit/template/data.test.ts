import { describe, expect, test } from 'vitest';
import { rawNumber } from '../../../src/core/alert/json.ts';
import { PRIORITIES } from '../../../src/core/alert/priority.ts';
import { alertData, fieldsData, parseTemplate } from '../../../src/core/template/index.ts';
import { alertFrom } from './support.ts';

describe('fields as the root', () => {
  const fields: [string, string | number | null | ReturnType<typeof rawNumber>][] = [
    ['k8s.ns.name', 'payments'],
    ['user', 'root'],
    ['evt.time', rawNumber('1772625600000000001')],
    ['uid', 0],
    ['gone', null],
  ];

  test.each([
    ['{{ or (index . "k8s.ns.name") "none" }}', 'payments'],
    ['{{ or (index . "gone") "none" }}{{ or .missing "none" }}', 'nonenone'],
    ['{{ .user }} {{ .missing }}', 'root <no value>'],
    ['{{ index . "evt.time" }} {{ .uid }}', '1772625600000000001 0'],
    ['{{ len . }}{{ range $k, $v := . }} {{ $k }}{{ end }}', '5 evt.time gone k8s.ns.name uid user'],
  ])('%s', (text, expected) => {
    const template = parseTemplate(text);
    expect(template.render(fieldsData(fields))).toBe(expected);
    expect(template.render(fieldsData(new Map(fields)))).toBe(expected);
  });
});

test.each(PRIORITIES.map((name, i) => [name, i + 1] as const))(
  'priority %s is a word and the number %d',
  (name, rank) => {
    const alert = alertFrom(`{"rule":"r","priority":"${name}","time":"2026-01-01T00:00:00Z"}`);
    const text = parseTemplate('{{ .Priority }} {{ printf "%d" .Priority }}').render(alertData(alert));
    expect(text).toBe(`${name} ${rank}`);
  },
);

test('an alert printed whole is its JSON', () => {
  const alert = alertFrom(
    '{"rule":"r","priority":"debug","time":"2026-01-01T00:00:00Z","output_fields":{"n":1.50}}',
  );
  expect(parseTemplate('{{ . }}').render(alertData(alert))).toBe(alert.json);
});

test('map keys come in the order of their UTF-8 bytes', () => {
  const text =
    '{"rule":"r","priority":"debug","time":"2026-01-01T00:00:00Z","output_fields":{"😀":1,"２":2,"b":3,"10":4,"9":5}}';
  const rendered = parseTemplate('{{ range $k, $_ := .OutputFields }}{{ $k }} {{ end }}').render(
    alertData(alertFrom(text)),
  );
  expect(rendered).toBe('10 9 b ２ 😀 ');
});

test('keys that JavaScript knows are plain keys', () => {
  const text =
    '{"rule":"r","priority":"debug","time":"2026-01-01T00:00:00Z","output_fields":{"__proto__":{"a":1},"constructor":"c"}}';
  const template = parseTemplate(
    '{{ .OutputFields.__proto__.a }} {{ .OutputFields.constructor }} {{ .OutputFields.hasOwnProperty }}',
  );
  expect(template.render(alertData(alertFrom(text)))).toBe('1 c <no value>');
});
