import { describe, expect, test } from 'vitest';
import { legalNames, toLabelName } from '../../../../src/outputs/_kit/names.ts';

test.each([
  ['proc.aname[2]', 'proc_aname_2'],
  ['json.value[/user/extra/sessionName]', 'json_value_user_extra_sessionName'],
  ['k8s.pod.name', 'k8s_pod_name'],
  ['日本', 'field'],
  ['', 'field'],
  ['2fa', '_2fa'],
  ['__name__', 'name'],
])('%j becomes the label %s', (field, label) => {
  expect(toLabelName(field)).toBe(label);
  expect(toLabelName(field)).toMatch(/^[a-zA-Z_][a-zA-Z0-9_]*$/);
});

describe('fields that come to one name', () => {
  test('keep apart, and a name that is legal stays', () => {
    const names = legalNames(['a.b', 'a_b', 'a-b'], toLabelName);
    expect(Object.fromEntries(names)).toEqual({ a_b: 'a_b', 'a-b': 'a_b_2', 'a.b': 'a_b_3' });
  });

  test('get the same names in any order', () => {
    const fields = ['a.b', 'a-b', 'a[b]', 'a_b_2'];
    const there = legalNames(fields, toLabelName);
    const back = legalNames([...fields].reverse(), toLabelName);
    expect(new Map([...back].sort())).toEqual(new Map([...there].sort()));
    expect(new Set(there.values()).size).toBe(fields.length);
  });

  test('leave names alone that are taken', () => {
    expect(legalNames(['rule'], toLabelName, ['rule']).get('rule')).toBe('rule_2');
  });
});
