import { describe, expect, it } from 'vitest';
import { decodeAlert, encodeInto, newUuid, outputField, sealAlert } from '../../../src/core/alert/alert.ts';
import { alertOf } from '../../support/alerts.ts';
import { draftOf } from '../../support/drafts.ts';

const NANOS = '{"evt.time":1743606903434319636,"r":12.50,"l":[1.0,{"n":9007199254740993}],"proc.name":"sh"}';

describe('a sealed alert', () => {
  it("has its fields in falcosidekick's order, with tags and hostname only when there are some", () => {
    const uuid = '11111111-2222-4333-8444-555555555555';
    expect(sealAlert(draftOf({ uuid, output_fields: { a: 1 } })).json).toBe(
      `{"uuid":"${uuid}","output":"text","priority":"Notice","rule":"R","time":"2026-01-31T12:00:00Z",` +
        '"output_fields":{"a":1},"source":"syscall"}',
    );
    const full = sealAlert(draftOf({ uuid, tags: ['t'], hostname: 'h', extra: 1 })).json;
    expect(full.endsWith('"source":"syscall","tags":["t"],"hostname":"h","extra":1}')).toBe(true);
  });

  it('keeps every digit of its numbers (F4)', () => {
    const alert = sealAlert(draftOf({}, NANOS));
    expect(alert.json).toContain(`"output_fields":${NANOS}`);
    expect(JSON.stringify(alert.outputFields)).toBe(NANOS);
    expect(alert.bytes.toString()).toBe(alert.json);
  });

  it('is one line even to readers who take U+2028 and U+2029 for the end of one', () => {
    const hostile = 'a\u2028b\u2029c';
    const members = { output: hostile, rule: hostile, tags: [hostile], hostname: hostile, extra: hostile };
    const alert = sealAlert(draftOf({ ...members, output_fields: { [hostile]: hostile, n: 1 } }));
    expect(alert.json).not.toMatch(/[\u2028\u2029]/);
    expect(alert.bytes.toString()).toBe(alert.json);
    expect(JSON.parse(alert.json)).toMatchObject({ ...members, output_fields: { [hostile]: hostile } });
    expect(alert).toMatchObject({ output: hostile, outputFields: { [hostile]: hostile, n: 1 } });
    expect(alert.extra).toEqual({ extra: hostile });
  });

  it('cannot be changed by any output (F5)', () => {
    const alert = sealAlert(draftOf({ tags: ['a'], output_fields: { m: { k: ['v'] } }, more: { x: 1 } }));
    const inner = alert.outputFields.m as { k: string[] };
    expect(() => inner.k.push('w')).toThrow(TypeError);
    expect(() => Object.assign(alert.outputFields, { b: 1 })).toThrow(TypeError);
    expect(() => (alert.tags as string[]).push('b')).toThrow(TypeError);
    expect(() => Object.assign(alert, { rule: 'x' })).toThrow(TypeError);
    expect(() => Object.assign(alert.extra.more as object, { x: 2 })).toThrow(TypeError);
  });
});

describe('outputField', () => {
  it('gives single fields exactly, own names only', () => {
    const alert = sealAlert(draftOf({}, NANOS));
    expect(outputField(alert, 'proc.name')).toBe('sh');
    expect(JSON.stringify(outputField(alert, 'evt.time'))).toBe('1743606903434319636');
    expect(JSON.stringify(outputField(alert, 'l'))).toBe('[1.0,{"n":9007199254740993}]');
    expect(outputField(alert, 'constructor')).toBeUndefined();
    expect(outputField({ ...alert, outputFields: { a: 1 } }, 'a')).toBe(1);
  });

  it('takes the last of a name given twice, as JSON.parse does', () => {
    const twice = '{"a":2.50,"b":{"n":1.0},"a":1,"b":9007199254740993}';
    const alert = sealAlert(draftOf({}, twice));
    expect(outputField(alert, 'a')).toBe(1);
    expect(JSON.stringify(outputField(alert, 'b'))).toBe('9007199254740993');
  });
});

describe('encodeInto', () => {
  it.each(['plain', 'Größe', '\u{1f6a8} 警報', '"quoted" \\'])('writes the bytes of an alert: %s', output => {
    const sealed = sealAlert(draftOf({ output }));
    const { byteLength } = sealed;
    const expected = Buffer.from(sealed.json);
    for (const alert of [sealed, decodeAlert(Buffer.from(expected))]) {
      const target = Buffer.alloc(byteLength + 3, '-');
      encodeInto(alert, target, 2);
      expect(target.toString()).toBe(`--${sealed.json}-`);
    }
    expect(byteLength).toBe(expected.length);
  });

  it('writes the very bytes that an alert was read from, even those that are no UTF-8', () => {
    const bytes = Buffer.from(sealAlert(draftOf({ output: 'ab' })).json);
    bytes[bytes.indexOf('ab')] = 0xff;
    const alert = decodeAlert(bytes);
    const target = Buffer.alloc(alert.byteLength);
    encodeInto(alert, target, 0);
    expect(target).toEqual(bytes);
  });
});

describe('decodeAlert', () => {
  it('gives back what was sealed', () => {
    const sealed = sealAlert(draftOf({ tags: ['b', 'a'], hostname: 'h', node: { n: 1 } }, NANOS));
    const decoded = decodeAlert(sealed.bytes);
    expect({ ...decoded }).toEqual({ ...sealed });
    expect(JSON.stringify(decoded.outputFields)).toBe(NANOS);
    expect(decoded.extra).toEqual(sealed.extra);
    expect(decoded.bytes).toBe(sealed.bytes);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{"uuid":"u","rule":"r"}',
    '{"uuid":"u","rule":"r","priority":"Loud","output_fields":{}}',
    '{"uuid":"u","rule":"r","priority":"Error","output_fields":[]}',
  ])('refuses a record that is no alert: %s', text => {
    expect(() => decodeAlert(Buffer.from(text))).toThrow(SyntaxError);
  });
});

describe('draft fields', () => {
  it('add a field without touching the text of the others', () => {
    const draft = draftOf({}, '{ "n": 12.50 }');
    draft.fields.assign([['env', 'pro"d']]);
    expect(draft.fields.seal().text).toBe('{ "n": 12.50 ,"env":"pro\\"d"}');
    expect(draft.fields.get('env')).toBe('pro"d');
  });

  it('add to no fields at all', () => {
    const draft = draftOf();
    draft.fields.assign([
      ['a', 1],
      ['b', null],
    ]);
    expect(draft.fields.seal().text).toBe('{"a":1,"b":null}');
  });

  it('overwrite a field, numbers elsewhere unchanged', () => {
    const draft = draftOf({}, '{"a":"old","n":1743606903434319636,"__proto__":{"x":1}}');
    draft.fields.assign([['a', 'new']]);
    expect(draft.fields.seal().text).toBe('{"n":1743606903434319636,"__proto__":{"x":1},"a":"new"}');
  });

  it('see edits before they are sealed, and later ones on top of earlier ones', () => {
    const draft = draftOf({}, '{"a":1.50}');
    draft.fields.assign([['b', 'x']]);
    expect(draft.fields.names()).toEqual(['a', 'b']);
    draft.fields.assign([['b', 'y']]);
    expect(JSON.stringify(Object.fromEntries(draft.fields.entries()))).toBe('{"a":1.50,"b":"y"}');
    expect(alertOf(sealAlert(draft).json).outputFields.b).toBe('y');
  });

  it('rename without touching values; a taken name is not overwritten (F18)', () => {
    const draft = draftOf({}, '{"a[1]":1.50,"a_1":"kept","b[x]":2}');
    draft.fields.rename(
      new Map([
        ['a[1]', 'a_1'],
        ['b[x]', 'b_x'],
      ]),
    );
    expect(draft.fields.seal().text).toBe('{"a[1]":1.50,"a_1":"kept","b_x":2}');
  });
});

it('no two ids are the same, and each is a random UUID', () => {
  const ids = Array.from({ length: 1000 }, newUuid);
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
