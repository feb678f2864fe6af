import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/outputs/mqtt/address.ts';

describe('address of an MQTT broker', () => {
  test.each([
    ['tcp://host', { protocol: 'mqtt', host: 'host', port: 1883, path: '', username: '', password: '' }],
    ['host:1884', { protocol: 'mqtt', host: 'host', port: 1884 }],
    ['mqtt://[::1]:1', { protocol: 'mqtt', host: '::1', port: 1 }],
    ['ssl://host', { protocol: 'mqtts', port: 8883 }],
    ['tls://host', { protocol: 'mqtts' }],
    ['mqtts://host', { protocol: 'mqtts' }],
    ['tcps://host:443', { protocol: 'mqtts', port: 443 }],
    ['ws://host/mqtt?x=1', { protocol: 'ws', port: 80, path: '/mqtt?x=1' }],
    ['wss://host', { protocol: 'wss', port: 443, path: '/' }],
    ['tcp://a%40b:p%2Fw@host', { username: 'a@b', password: 'p/w' }],
  ])('%s', (text, expected) => expect(parseAddress(text)).toMatchObject(expected));

  test.each(['http://host', 'tcp://', 'secret word', ''])('refuses %j', text => {
    expect(() => parseAddress(text)).toThrow('expected tcp://host:port');
  });
});
