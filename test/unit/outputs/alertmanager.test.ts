import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/core/config/load.ts';
import { toPostableAlert } from '../../../src/outputs/alertmanager/alert.ts';
import { gradeDrops, parseDropThresholds } from '../../../src/outputs/alertmanager/drops.ts';
import definition from '../../../src/outputs/alertmanager/index.ts';
import { alertOf } from '../../support/alerts.ts';

const BASE = { rule: 'R', priority: 'Debug', time: '2026-01-31T12:00:00Z', output: 'text' };
const labelsOf = (fields: object, config: object = {}) => {
  const settings = definition.keys.parse({ hostport: ['http://am.test'], ...config });
  return toPostableAlert(alertOf(JSON.stringify({ ...BASE, output_fields: fields })), settings).labels;
};
const load = (text: string) =>
  loadConfig({
    file: 'tiercel.yaml',
    text,
    env: {},
    definitions: [definition as never],
    readFile: () => {
      throw new Error('there is no file');
    },
  });

describe('labels', () => {
  test('no field gets lost to another one of the same label, nor to a label of ours', () => {
    expect(labelsOf({ 'a.b': 'x', a_b: 'y', rule: 'z', 'json.value[/x]': 'v' })).toMatchObject({
      a_b: 'y',
      a_b_2: 'x',
      rule: 'R',
      rule_2: 'z',
      json_value_x: 'v',
    });
  });

  test('a number of drops is one of a few texts and raises the priority, be it number or text', () => {
    for (const count of [1500, '1500']) {
      expect(labelsOf({ n_drops: count, n_evts: 5 })).toMatchObject({
        n_drops: '>1000',
        priority: 'Critical',
        severity: 'critical',
      });
    }
    expect(labelsOf({ n_drops: 1500, n_evts: 5 })).not.toHaveProperty('n_evts');
  });

  test('drops never lower a priority', () => {
    const alert = alertOf(JSON.stringify({ ...BASE, priority: 'Emergency', output_fields: { n_drops: 0 } }));
    const settings = definition.keys.parse({ hostport: ['http://am.test'] });
    expect(toPostableAlert(alert, settings).labels.priority).toBe('Emergency');
  });
});

describe('thresholds', () => {
  test("falcosidekick's default text means what it says", () => {
    const meant = '10000:critical: 1000:critical: 100:critical: 10:warning: 1:warning';
    expect(parseDropThresholds(meant)).toEqual(
      parseDropThresholds('1:warning,10:warning,100:critical,1000:critical,10000:critical'),
    );
    expect(parseDropThresholds(meant)).toHaveLength(5);
  });

  test.each(['many:critical', '10', '10:grave', '10:'])('%j is none', text => {
    expect(parseDropThresholds(text)).toBeUndefined();
  });

  test('a count has to be above one', () => {
    const thresholds = parseDropThresholds('10:warning')!;
    expect(gradeDrops(10n, thresholds, 'Notice')).toEqual({ label: '10', priority: 'Notice' });
    expect(gradeDrops(11n, thresholds, 'Notice')).toEqual({ label: '>10', priority: 'Warning' });
    expect(gradeDrops(0n, thresholds, 'Notice')).toEqual({ label: '0', priority: 'Warning' });
  });
});

describe('several hosts', () => {
  test('are outputs of their own, the same ones in whatever order they stand', () => {
    const ids = (hosts: string) =>
      load(`alertmanager: { hostport: [${hosts}] }`)
        .outputs.map(({ id, config }) => `${id} ${(config as { hostport: string[] }).hostport}`)
        .sort();
    const there = ids('"http://am-0.mon:9093", "http://am-1.mon:9093/a", "http://am-1.mon:9093/b"');
    expect(there).toEqual([
      'alertmanager.am-0_mon_9093 http://am-0.mon:9093',
      'alertmanager.am-1_mon_9093 http://am-1.mon:9093/a',
      'alertmanager.am-1_mon_9093_2 http://am-1.mon:9093/b',
    ]);
    expect(ids('"http://am-1.mon:9093/b", "http://am-1.mon:9093/a", "http://am-0.mon:9093"')).toEqual(there);
  });

  test('are shown as the one section that they are', () => {
    const { masked, outputs } = load('alertmanager: { hostport: "http://a.test,http://b.test" }');
    expect(outputs).toHaveLength(2);
    expect(new Set(outputs.map(({ fingerprint }) => fingerprint)).size).toBe(2);
    expect(masked.alertmanager).not.toBeInstanceOf(Array);
  });

  test('one host has no ending', () => {
    expect(load('alertmanager: { hostport: "http://a.test" }').outputs.map(({ id }) => id)).toEqual([
      'alertmanager',
    ]);
  });
});

test.each([
  ['hostport: ["http://a.test", "b.test:9093"]', 'hostport[1]'],
  ['hostport: "http://a.test", extralabels: { a-b: x }', 'extralabels.a-b'],
  ['hostport: "http://a.test", customseveritymap: { grave: page }', 'customseveritymap.grave'],
  ['hostport: "http://a.test", dropeventthresholds: lots', 'dropeventthresholds'],
])('refuses { %s }', (text, place) => {
  expect(() => load(`alertmanager: { ${text} }`)).toThrow(place);
});
