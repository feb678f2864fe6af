import { describe, expect, test } from 'vitest';
import { type BalancerName, createBalancer, murmur2 } from '../../../../src/outputs/kafka/balancers.ts';

const THREE = [0, 1, 2];
const choices = (name: BalancerName, keys: (string | null)[], bytes: number[] = [], open = THREE) => {
  const values = [0.1, 0.5, 0.9];
  const balance = createBalancer(name, () => values.shift() ?? 0);
  return keys.map((key, index) =>
    balance(key === null ? null : Buffer.from(key), bytes[index] ?? 1, THREE, open),
  );
};

// What org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 3.9.1 answers.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['abc', 479470107],
  ['', 275646681],
])('murmur2 of %j is what Java says', (text, hash) => expect(murmur2(Buffer.from(text))).toBe(hash));

describe('balancers', () => {
  test('round_robin takes one after the other, whatever the key', () =>
    expect(choices('round_robin', [null, 'a', 'a', null])).toEqual([0, 1, 2, 0]));

  test('least_bytes takes the one with the fewest bytes so far', () =>
    expect(choices('least_bytes', [null, null, null, null, null], [100, 10, 50, 20, 1])).toEqual([
      0, 1, 2, 1, 1,
    ]));

  test.each(['crc32', 'murmur2'] as const)('%s puts records without key in one partition', name =>
    expect(new Set(choices(name, [null, null, null])).size).toBe(1),
  );

  test.each(['crc32_random', 'murmur2_random'] as const)('%s scatters records without key', name =>
    expect(choices(name, [null, null, null])).toEqual([0, 1, 2]),
  );

  test.each(['crc32', 'crc32_random', 'murmur2', 'murmur2_random'] as const)(
    '%s keeps a key together',
    name => {
      const keys = ['alpha', 'beta', 'gamma', 'delta'];
      expect(choices(name, keys)).toEqual(choices(name, keys));
      expect(new Set(choices(name, keys)).size).toBeGreaterThan(1);
    },
  );

  test.each(['round_robin', 'least_bytes', 'crc32_random', 'murmur2_random'] as const)(
    '%s keeps to the partitions that are open',
    name => expect(new Set(choices(name, [null, null, null, null], [], [0, 2]))).toEqual(new Set([0, 2])),
  );

  test.each(['crc32', 'crc32_random', 'murmur2', 'murmur2_random'] as const)(
    '%s leaves a key where it belongs, open or not',
    name => {
      const keys = ['alpha', 'beta', 'gamma', 'delta'];
      expect(choices(name, keys, [], [0])).toEqual(choices(name, keys));
    },
  );
});
