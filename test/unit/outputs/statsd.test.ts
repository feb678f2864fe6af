import { describe, expect, test } from 'vitest';
import type { Count } from '../../../src/core/contract.ts';
import { statsdProblems } from '../../../src/outputs/_kit/statsd/keys.ts';
import {
  alertIncrements,
  countIncrements,
  type Style,
  toDatagrams,
  toLines,
} from '../../../src/outputs/_kit/statsd/lines.ts';
import { falcoAlert } from '../../support/services/alerts.ts';

const counts = (accepted: number, rejected: number, ok: number): Count[] => [
  { of: 'inputs', labels: { source: 'requests', status: 'accepted' }, value: accepted },
  { of: 'inputs', labels: { source: 'requests', status: 'rejected' }, value: rejected },
  { of: 'refusals', labels: { reason: 'missing_field' }, value: rejected },
  { of: 'outputs', labels: { destination: 'slack.soc', status: 'ok' }, value: ok },
];

function lines(style: Partial<Style>, before: Count[], now: Count[]): string[] {
  const whole = { namespace: 'sk.', tags: [], form: 'dots' as const, ...style };
  return countIncrements(before, now).flatMap(increment => toLines(increment, whole));
}

describe('statsd lines', () => {
  test('what has grown, in dots', () => {
    expect(lines({}, counts(2, 0, 1), counts(5, 1, 1))).toEqual([
      'sk.total:4|c',
      'sk.inputs.requests.accepted:3|c',
      'sk.inputs.requests.rejected.invalidjson:1|c',
    ]);
    expect(lines({}, [], counts(0, 0, 7))).toEqual(['sk.outputs.slack_soc.ok:7|c']);
    expect(lines({}, counts(1, 1, 1), counts(1, 1, 1))).toEqual([]);
  });

  test('what has grown, in tags', () => {
    expect(lines({ form: 'tags', tags: ['env:stage', 'team'] }, [], counts(1, 1, 1))).toEqual([
      'sk.total:2|c|#env:stage,team',
      'sk.inputs.requests.accepted:1|c|#env:stage,team',
      'sk.inputs.requests.rejected:1|c|#env:stage,team,error:invalidjson',
      'sk.outputs:1|c|#env:stage,team,output:slack.soc,status:ok',
    ]);
  });

  test("statsd gets falcosidekick's tags of inputs too, if wanted", () => {
    const style: Style = { namespace: '', tags: ['env:stage'], form: 'dots', inputTags: true };
    const [critical] = alertIncrements([falcoAlert({ priority: 'critical' })]);
    expect(toLines(critical!, style)).toEqual([
      'falco.accepted.Critical:1|c|#env:stage',
      'falco.accepted:1|c|#env:stage,priority:Critical',
    ]);
    expect(toLines(critical!, { ...style, tags: [], inputTags: false })).toEqual([
      'falco.accepted.Critical:1|c',
    ]);
  });

  test('alerts are counted by priority', () => {
    const alerts = ['critical', 'debug', 'critical'].map(priority => falcoAlert({ priority }));
    expect(alertIncrements(alerts).map(({ tags, value }) => [tags[0]![1], value])).toEqual([
      ['Critical', 2],
      ['Debug', 1],
    ]);
  });

  test.each([
    ['empty', 'nobody'],
    ['not_json', 'invalidjson'],
    ['too_large', 'too_large'],
  ])('a body refused as %s is an error %s', (reason, error) => {
    const [increment] = countIncrements([], [{ of: 'refusals', labels: { reason }, value: 1 }]);
    expect(increment!.tags).toEqual([['error', error]]);
  });

  test('sends of metrics give no reason for more', () => {
    const sent = ['statsd', 'dogstatsd', 'statsd.east', 'statsdish'].map(destination => ({
      of: 'outputs' as const,
      labels: { destination, status: 'ok' },
      value: 1,
    }));
    expect(countIncrements([], sent).map(({ tags }) => tags[0]![1])).toEqual(['statsdish']);
  });

  test('datagrams are filled up to the limit, and no line is cut', () => {
    const many = Array.from({ length: 100 }, (_, index) => `name.${index}:1|c`);
    const datagrams = toDatagrams([...many, 'x'.repeat(300)], 200).map(String);
    expect(datagrams.join('')).toBe([...many, 'x'.repeat(300), ''].join('\n'));
    expect(datagrams.slice(0, -1).every(text => text.length <= 200 && text.endsWith('\n'))).toBe(true);
    expect(datagrams).toHaveLength(8);
  });

  test('settings that no line could hold are told', () => {
    const problems = (change: object) =>
      statsdProblems({ forwarder: 'x:8125', namespace: 'sk.', tags: [], ...change }).map(({ path }) => path);
    expect(problems({})).toEqual([]);
    expect(problems({ forwarder: 'localhost' })).toEqual([]);
    expect(problems({ forwarder: 'unix:///var/run/dsd.socket' })).toEqual(['forwarder']);
    expect(problems({ namespace: 'a:b' })).toEqual(['namespace']);
    expect(problems({ tags: ['a|b'] })).toEqual(['tags']);
  });
});
