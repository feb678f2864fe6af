import fc from 'fast-check';

const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'k8s.ns.name',
  'k8s.pod.name',
  'proc.aname[2]',
  'a',
  '',
  'length',
];

/** Any text, lone surrogates and control characters among it. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map(units => String.fromCharCode(...units)),
  fc.constantFrom('', 'Ünï✓ 🚀', '"\\\n\t', '<NA>', 'x'.repeat(700), '日'.repeat(300)),
);

const anyKey = fc.oneof(fc.constantFrom(...KEYS), anyText);

/** A number as JSON text, with as many digits as somebody cares to write. */
export const numberText = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(fc.constant('0'), fc.bigInt({ min: 1n, max: 10n ** 30n }).map(String)),
    fraction: fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,20}$/)),
    exponent: fc.oneof(fc.constant(''), fc.stringMatching(/^[eE][+-]?\d{1,3}$/)),
  })
  .map(({ sign, whole, fraction, exponent }) => sign + whole + fraction + exponent);

/** The text of any JSON value; keys may repeat. */
export const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    numberText,
    anyText.map(text => JSON.stringify(text)),
    fc.constantFrom('true', 'false', 'null', '[]', '{}'),
    fc.array(tie('value'), { maxLength: 4 }).map(items => `[${items.join(' ,')}]`),
    fc.array(fc.tuple(anyKey, tie('value')), { maxLength: 5 }).map(objectText),
  ),
})).value;

function objectText(members: readonly (readonly [string, string])[]): string {
  return `{ ${members.map(([key, value]) => `${JSON.stringify(key)} : ${value}`).join(',')}}`;
}

/** The text of an object of any members. */
export const fieldsText = fc.array(fc.tuple(anyKey, jsonText), { maxLength: 6 }).map(objectText);

const PRIORITY = fc.constantFrom('Warning', 'debug', 'EMERGENCY', 'info');

/** The body of an alert that is taken, with anything in it that a sender may choose. */
export const alertText = fc
  .record({
    rule: fc.oneof(
      fc.constant('Test rule'),
      anyText.filter(text => text !== ''),
    ),
    priority: PRIORITY,
    output: fc.oneof(anyText, fc.constant('12:00:00.1: Error <tags> x ( )')),
    source: anyText,
    hostname: anyText,
    tags: fc.array(anyText, { maxLength: 4 }),
    fields: fieldsText,
    extra: fc.array(fc.tuple(anyText, jsonText), { maxLength: 3 }),
  })
  .map(({ fields, extra, priority, ...texts }) =>
    objectText([
      ...extra.map(([key, value]) => [`x${key}`, value] as const),
      ...Object.entries(texts).map(([key, value]) => [key, JSON.stringify(value)] as const),
      ['priority', JSON.stringify(priority)],
      ['time', '"2026-01-31T12:00:00.123456789Z"'],
      ['output_fields', fields],
    ]),
  );

/** Bodies that are nearly alerts: members of any type, in any case. */
export const nearlyAlertText = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        'rule',
        'Priority',
        'time',
        'output',
        'output_fields',
        'TAGS',
        'hostname',
        'uuid',
        'source',
      ),
      fc.oneof(jsonText, fc.constantFrom('"Error"', '"2026-01-31T12:00:00Z"')),
    ),
  )
  .map(objectText);
