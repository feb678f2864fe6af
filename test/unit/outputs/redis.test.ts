import { describe, expect, test } from 'vitest';
import { toFailure } from '../../../src/outputs/redis/failures.ts';
import redis, { toCommand } from '../../../src/outputs/redis/index.ts';
import { falcoAlert } from '../../support/services/alerts.ts';

test('an alert becomes one command', () => {
  const alert = falcoAlert();
  expect(toCommand(alert, 'list', 'falco')).toEqual(['RPUSH', 'falco', alert.bytes]);
  expect(toCommand(alert, 'hashmap', 'k')).toEqual(['HSET', 'k', alert.uuid, alert.bytes]);
});

describe('the configuration', () => {
  const problems = (config: Record<string, unknown>) => redis.check!(redis.keys.parse(config));

  test('takes host and port, IPv6 too', () => {
    for (const address of ['redis', 'redis:6379', '[::1]:1', '10.0.0.1:7000'])
      expect(problems({ address })).toEqual([]);
  });

  test('refuses addresses with more in them, and says what to do', () => {
    expect(problems({ address: 'rediss://h:1' })).toMatchObject([
      { path: 'address', hint: expect.stringContaining('tls: true') },
    ]);
    expect(problems({ address: 'user:secret@h:1' })[0]!.message).not.toContain('secret');
    expect(problems({ address: 'h:70000' })).toHaveLength(1);
    expect(problems({ address: 'h', username: 'ada' })).toMatchObject([{ path: 'username' }]);
  });
});

describe('an answer of the server', () => {
  const reason = (message: string) => toFailure(new Error(message));

  test.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'auth'],
    ['NOAUTH Authentication required.', 'auth'],
    ["NOPERM User ada has no permissions to run the 'rpush' command", 'auth'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'client_error'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'server_error'],
    ["READONLY You can't write against a read only replica.", 'server_error'],
    ['LOADING Redis is loading the dataset in memory', 'server_error'],
    ['MOVED 3999 10.0.0.7:6381', 'client_error'],
    ['ERR DB index is out of range', 'client_error'],
    ['ERR something new', 'server_error'],
    ['Socket closed unexpectedly', 'network'],
  ])('%s', (message, expected) => {
    expect(reason(message)).toMatchObject({ name: 'RetriableError', reason: expected });
    expect(reason(message).message).not.toMatch(/ada|10\.0\.0\.7/);
  });

  test('that the value is too large is for good', () => {
    expect(reason('ERR string exceeds maximum allowed size (proto-max-bulk-len)')).toMatchObject({
      name: 'PermanentError',
      reason: 'payload',
    });
  });
});
