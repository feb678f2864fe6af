import { describe, expect, test } from 'vitest';
import type { ConnectionConfig } from '../../../src/core/config/types.ts';
import logstash from '../../../src/outputs/logstash.ts';
import redis from '../../../src/outputs/redis/index.ts';
import { type LoadInput, load, problemsOf, warningsOf } from '../../support/config.ts';

const files = Object.fromEntries(
  ['ca', 'crt', 'key', 'all'].map(name => [`/pem/${name}`, `-----BEGIN ${name}-----`]),
);
const definitions = [redis, logstash];

function connectionOf(yaml: string, input: LoadInput = {}): ConnectionConfig {
  return load(yaml, { definitions, files, ...input }).outputs[0]!.connection;
}

describe('cacertfile, certfile and keyfile as keys of an output', () => {
  const FILES = 'cacertfile: /pem/ca, certfile: /pem/crt, keyfile: /pem/key';
  const expected = { caFiles: ['/pem/ca'], certFile: '/pem/crt', keyFile: '/pem/key', verify: true };

  test('stand for those of tls', () => {
    expect(connectionOf(`redis: { address: a:1, tls: true, ${FILES} }`)).toMatchObject(expected);
    expect(connectionOf(`logstash: { address: a, tls: true, ${FILES} }`)).toMatchObject(expected);
    const env = { REDIS_CACERTFILE: '/pem/ca', REDIS_CERTFILE: '/pem/crt', REDIS_KEYFILE: '/pem/key' };
    expect(connectionOf('redis: { address: a:1 }', { env })).toMatchObject(expected);
  });

  test('come before the files of all outputs with mutualtls, and after those in tls', () => {
    const mutual = `redis: { address: a:1, tls: true, mutualtls: true, ${FILES} }`;
    expect(connectionOf(mutual)).toMatchObject(expected);
    const detailed = `redis: { address: a:1, tls: { ca: /pem/all }, ${FILES} }`;
    expect(connectionOf(detailed)).toMatchObject({ ...expected, caFiles: ['/pem/all'] });
  });

  test('are named when they cannot be read', () => {
    const yaml = 'redis:\n  address: a:1\n  cacertfile: /pem/none';
    expect(problemsOf(yaml, { definitions, files })).toEqual([
      'line 3: redis.cacertfile: cannot read /pem/none: there is no such file',
    ]);
  });

  test('are named when they hold no certificate and no key', () => {
    const yaml =
      'redis:\n  address: a:1\n  cacertfile: /pem/text\nlogstash:\n  address: a\n  tls: { ca: /pem/text }';
    expect(warningsOf(yaml, { definitions, files: { '/pem/text': 'ca' } })).toEqual([
      'line 3: redis.cacertfile: /pem/text is not in PEM format; nothing is sent before it is',
      'line 6: logstash.tls: /pem/text is not in PEM format; nothing is sent before it is',
    ]);
  });
});
