import { describe, expect, test } from 'vitest';
import logstash, { toLine } from '../../../src/outputs/logstash.ts';
import { alertOf } from '../../support/alerts.ts';
import { EXACT_TIME, falcoAlert } from '../../support/services/alerts.ts';

const read = (line: Buffer) => JSON.parse(line.toString()) as Record<string, unknown>;

describe('a line for Logstash', () => {
  test('is the alert as it is when there is nothing to change', () => {
    const alert = falcoAlert();
    expect(toLine(alert, []).toString()).toBe(`${alert.json}\r\n`);
    expect(toLine(alert, []).toString()).toContain(EXACT_TIME);
  });

  test('has more tags behind those of the alert, repeats too, and changes nothing else', () => {
    const alert = falcoAlert({ tags: ['a', 'x'] });
    const line = toLine(alert, ['x', 'b']).toString();
    expect(line).toBe(`${alert.json.replace('["a","x"]', '["a","x","x","b"]')}\r\n`);
    const bare = falcoAlert({ tags: [], hostname: '' });
    expect(read(toLine(bare, ['x']))).toEqual({ ...(JSON.parse(bare.json) as object), tags: ['x'] });
  });

  test('has no [0] in the names of fields, at any depth, and loses none', () => {
    const fields = { 'a[0]': 1, 'a.0': 2, 'b[x]': 3, 'c[1][2]': { 'd[3]': [{ 'e[4]': 5 }] }, text: 'f[6]' };
    const alert = falcoAlert({ output: 'see g[7]' }, fields);
    expect(read(toLine(alert, []))).toMatchObject({
      output: 'see g[7]',
      output_fields: { 'a.0': 2, 'a.0_2': 1, 'b[x]': 3, 'c.1.2': { 'd.3': [{ 'e.4': 5 }] }, text: 'f[6]' },
    });
  });

  test('is one line to any reader', () => {
    const alert = falcoAlert({ output: 'a\u2028b' }, { 'c[0]': 'd\u2029e' });
    for (const line of [toLine(alert, []), toLine(alert, ['t'])]) {
      expect(line.toString()).not.toMatch(/[\u2028\u2029]/);
      expect(read(line)).toMatchObject({ output: 'a\u2028b', output_fields: { 'c.0': 'd\u2029e' } });
    }
  });

  test('keeps what Tiercel does not know', () => {
    const alert = alertOf(
      '{"rule":"r","priority":"Notice","time":"2026-03-04T10:15:02Z","output":"o","output_fields":{"a":1},"k":[1.50]}',
    );
    expect(toLine(alert, ['t']).toString()).toContain('"k":[1.50]');
  });
});

test('an address is a host without a port', () => {
  const problems = (address: string) => logstash.check!(logstash.keys.parse({ address }));
  for (const good of ['logstash', 'logs.example.org', '10.0.0.1', '::1', '[::1]'])
    expect(problems(good)).toEqual([]);
  for (const bad of ['logs:5044', 'tcp://logs', 'a b']) expect(problems(bad)).toHaveLength(1);
});
