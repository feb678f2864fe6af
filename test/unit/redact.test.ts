import { describe, expect, test } from 'vitest';
import { addressUserInfo, createRedactor, maskAddress } from '../../src/core/redact.ts';

describe('redactor', () => {
  test('masks every secret wherever it occurs', () => {
    const redact = createRedactor(['hunter22', 'other-secret']);
    expect(redact('a hunter22 b hunter22; other-secret.')).toBe('a *** b ***; ***.');
  });

  test('masks URL-encoded and JSON-escaped forms', () => {
    const secret = 'pä ss"/+\n';
    const redact = createRedactor([secret]);
    const lower = encodeURIComponent(secret).replace(/%../g, code => code.toLowerCase());
    expect(redact(`x=${encodeURIComponent(secret)}&y=${lower}`)).toBe('x=***&y=***');
    expect(redact(JSON.stringify({ secret }))).toBe('{"secret":"***"}');
  });

  test('masks the path of a secret URL by itself', () => {
    const redact = createRedactor(['https://hooks.example/services/T0/B0/token']);
    expect(redact('POST /services/T0/B0/token to hooks.example')).toBe('POST *** to hooks.example');
  });

  test('masks the path of a secret URL also decoded, and encoded in another way', () => {
    const redact = createRedactor(['https://hooks.example/T0/xoxb%3Asecret%2Ftoken%3D%3D~']);
    expect(redact('Cannot POST /T0/xoxb:secret/token==~')).toBe('Cannot POST ***');
    expect(redact('Cannot POST %2fT0%2fxoxb%3asecret%2ftoken%3d%3d~')).toBe('Cannot POST ***');
    expect(createRedactor(['a b/c%41d'])('a%20b/cAd')).toBe('***');
  });

  test('masks longer secrets whole although a shorter one is their beginning', () => {
    expect(createRedactor(['abcd', 'abcdefgh'])('abcdefgh abcd')).toBe('*** ***');
  });

  test('leaves very short secrets, and takes special characters literally', () => {
    expect(createRedactor(['abc', ''])('abc')).toBe('abc');
    expect(createRedactor(['a.*c(', '$&$1'])('abbc( a.*c( $&$1')).toBe('abbc( *** ***');
  });

  test('masks user names and passwords in any URL', () => {
    const redact = createRedactor([]);
    expect(redact('nats://me:p@ss@a:4222,nats://token@b:4222 http://c/x@y')).toBe(
      'nats://***@a:4222,nats://***@b:4222 http://c/x@y',
    );
  });

  test('takes lone surrogates', () => {
    expect(createRedactor(['\ud800secret'])('x \ud800secret')).toBe('x ***');
  });

  test('is quick on hostile text', () => {
    const redact = createRedactor(['s'.repeat(100)]);
    expect(redact('://'.repeat(50_000)).length).toBe(150_000);
    expect(redact(`://${'a'.repeat(500_000)}`).length).toBe(500_003);
  });
});

test.each([
  ['nats://me:pw@a:1', 'nats://***@a:1', ['pw']],
  ['me:p@ss@a:1', '***@a:1', ['p@ss']],
  ['nats://me:pa,ss%21@a:1', 'nats://***@a:1', ['pa,ss%21', 'pa,ss!']],
  ['http://me:12/w#x@a', 'http://***@a', ['12/w#x']],
  ['token@a', '***@a', ['token']],
  ['a:1', 'a:1', []],
])('an address, with and without scheme: %s', (address, shown, secrets) => {
  expect(maskAddress(address)).toBe(shown);
  expect(addressUserInfo(address)).toEqual(expect.arrayContaining(secrets));
  if (secrets.length === 0) expect(addressUserInfo(address)).toEqual([]);
});
