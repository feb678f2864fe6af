import { describe, expect, test } from 'vitest';
import { parseBroker } from '../../../../src/outputs/kafka/config.ts';
import kafka from '../../../../src/outputs/kafka/index.ts';
import { pack } from '../../../../src/outputs/kafka/output.ts';
import { toRecord } from '../../../../src/outputs/kafka/record.ts';
import { EXACT_TIME, falcoAlert } from '../../../support/services/alerts.ts';

describe('parseBroker', () => {
  test.each([
    ['a:1', { host: 'a', port: 1 }],
    ['a.example', { host: 'a.example', port: 9092 }],
    ['[fd00::1]:9093', { host: 'fd00::1', port: 9093 }],
  ])('%s', (hostport, broker) => expect(parseBroker(hostport)).toEqual(broker));

  test.each(['', 'a:b', 'a:1:2', 'http://a:1', 'a:99999', 'ada:pw@a:1', 'a b:1'])('refuses %j', hostport =>
    expect(() => parseBroker(hostport)).toThrow(),
  );
});

describe('configuration', () => {
  const problems = (config: Record<string, unknown>) =>
    kafka.check!(kafka.keys.parse({ hostport: 'a:1', topic: 't', ...config }));

  test('hostport and topic together turn it on', () => {
    const enabled = (config: Record<string, unknown>) => kafka.enabled(kafka.keys.parse(config));
    expect([{}, { hostport: 'a:1' }, { topic: 't' }, kafka.example].map(enabled)).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(kafka.check!(kafka.keys.parse(kafka.example))).toEqual([]);
  });

  test('no loss is hidden unless asked for', () => {
    expect(kafka.keys.parse({})).toMatchObject({ requiredacks: 'ALL', balancer: 'round_robin', key: 'none' });
    expect(kafka.keys.parse({ requiredacks: 'none' })).toMatchObject({ requiredacks: 'NONE' });
  });

  test.each(['ssl://a:1', 'sasl_ssl://a:1', 'https://a:1'])(
    'a scheme that wants TLS, %s, is explained',
    hostport =>
      expect(problems({ hostport: ['b:2', hostport] })).toEqual([
        {
          path: 'hostport',
          message: expect.stringMatching(/^broker 2: /),
          hint: expect.stringContaining('tls: true'),
        },
      ]),
  );

  test('other schemes are explained too', () =>
    expect(problems({ hostport: 'http://a:1' })).toEqual([
      { path: 'hostport', message: expect.any(String), hint: 'leave the scheme out' },
    ]));

  test('topic and sasl are checked', () => {
    expect(problems({ topic: 'a topic' })).toMatchObject([{ path: 'topic' }]);
    expect(problems({ sasl: 'scram-sha-256' })).toMatchObject([{ path: 'sasl' }]);
    expect(problems({ sasl: 'scram_sha256', username: 'u', password: 'p' })).toEqual([]);
  });
});

describe('toRecord', () => {
  const alert = falcoAlert();
  test('the value is the alert, digit for digit', () => {
    expect(toRecord(alert, 'none').value).toBe(alert.bytes);
    expect(alert.json).toContain(`"evt.time":${EXACT_TIME}`);
  });

  test.each([
    ['none', null],
    ['', null],
    ['uuid', alert.uuid],
    ['rule', alert.rule],
    ['hostname', 'node-1'],
    ['container.id', '7f3c2a'],
    ['k8s.ns.name', '7'],
    ['evt.time', EXACT_TIME],
    ['proc.tty', null],
    ['proc.name', null],
    ['constructor', null],
  ])('key %s', (key, expected) => expect(toRecord(alert, key).key?.toString() ?? null).toBe(expected));
});

describe('pack', () => {
  const records = [5, 5, 5, 20, 1].map(size => ({ key: null, value: Buffer.alloc(size) }));
  test('keeps the order and the limit', () => {
    expect(pack(records, 10)).toEqual([[0, 1], [2], [3], [4]]);
    expect(pack(records, Number.POSITIVE_INFINITY)).toEqual([[0, 1, 2, 3, 4]]);
    expect(pack([], 10)).toEqual([]);
  });
});
