import { describe, expect, test } from 'vitest';
import { parseServers } from '../../../src/core/nats/servers.ts';
import nats from '../../../src/outputs/nats/index.ts';

describe('parseServers', () => {
  test.each([
    ['nats://a:1', { addresses: ['a:1'], secure: false }],
    ['a', { addresses: ['a:4222'], secure: false }],
    ['a:99', { addresses: ['a:99'], secure: false }],
    ['natss://a', { addresses: ['a:4222'], secure: true }],
    ['tls://a:1', { addresses: ['a:1'], secure: true }],
    ['http://a:80', { addresses: ['a:80'], secure: false }],
    ['https://a:443', { addresses: ['a:443'], secure: true }],
    ['nats://[::1]:1', { addresses: ['[::1]:1'], secure: false }],
    ['nats://ada:p%40ss@a:1', { addresses: ['a:1'], secure: false, user: 'ada', password: 'p@ss' }],
    ['nats://u:a%b@a:1', { addresses: ['a:1'], secure: false, user: 'u', password: 'a%b' }],
    ['nats://u:50%|%40%ff@a:1', { addresses: ['a:1'], secure: false, user: 'u', password: '50%|@%ff' }],
    ['nats://t0ken%@a:1', { addresses: ['a:1'], secure: false, token: 't0ken%' }],
    ['nats://t0ken@a:1', { addresses: ['a:1'], secure: false, token: 't0ken' }],
  ])('%s', (hostport, servers) => expect(parseServers([hostport])).toEqual(servers));

  test('several servers: one that wants TLS decides for all', () => {
    expect(parseServers(['nats://a:1', 'tls://b:2'])).toEqual({ addresses: ['a:1', 'b:2'], secure: true });
  });

  test('an error does not show the address, which may hold a password', () => {
    expect(() => parseServers(['nats://a', 'ws://ada:s3cret@b'])).toThrow(/^server 2: (?!.*s3cret).*$/);
    expect(() => parseServers(['nats://ada:s3cret@'])).toThrow(/^server 1: (?!.*s3cret).*$/);
  });
});

describe('configuration', () => {
  const problems = (config: Record<string, unknown>) =>
    nats.check!(nats.keys.parse(config) as never).map(({ path }) => path);

  test('hostport turns it on', () => {
    expect(nats.enabled(nats.keys.parse({}))).toBe(false);
    expect(nats.enabled(nats.keys.parse(nats.example))).toBe(true);
    expect(problems(nats.example)).toEqual([]);
  });

  test('says what is wrong', () => {
    expect(problems({ hostport: 'ws://a' })).toEqual(['hostport']);
    expect(problems({ hostport: 'a', subjecttemplate: 'falco.>' })).toEqual(['subjecttemplate']);
    expect(problems({ hostport: 'a', token: 't', username: 'u' })).toEqual(['username']);
    expect(problems({ hostport: 'a', stream: 'FALCO' })).toEqual(['stream']);
  });
});
