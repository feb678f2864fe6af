import { describe, expect, test } from 'vitest';
import { proxyFor } from '../../../src/core/http/proxy.ts';

const env = { HTTP_PROXY: 'http://plain.proxy:3128', HTTPS_PROXY: 'http://tls.proxy:3128' };
const via = (target: string, more: Record<string, string> = {}, explicit?: string) =>
  proxyFor(new URL(target), { ...env, ...more }, explicit)?.host;

describe('proxyFor', () => {
  test('chooses by the scheme of the target', () => {
    expect(via('http://a.example/')).toBe('plain.proxy:3128');
    expect(via('https://a.example/')).toBe('tls.proxy:3128');
  });

  test('reads both spellings, the upper-case one first', () => {
    expect(proxyFor(new URL('http://a.example'), { http_proxy: 'http://low:1' })?.host).toBe('low:1');
    expect(via('http://a.example', { http_proxy: 'http://low:1' })).toBe('plain.proxy:3128');
    expect(via('http://a.example', { no_proxy: 'a.example' })).toBeUndefined();
  });

  test('no variable, no proxy', () => {
    expect(proxyFor(new URL('http://a.example'), {})).toBeUndefined();
    expect(proxyFor(new URL('http://a.example'), { HTTP_PROXY: '' })).toBeUndefined();
  });

  test('takes a bare host and port for HTTP', () => {
    expect(proxyFor(new URL('http://a.example'), { HTTP_PROXY: 'p.example:8080' })?.href).toBe(
      'http://p.example:8080/',
    );
  });

  test.each([
    'http://localhost:9/',
    'http://127.0.0.1/',
    'http://127.9.9.9/',
    'http://[::1]:80/',
    'http://LOCALHOST/',
  ])('%s is never proxied by the variables', target => expect(via(target)).toBeUndefined());

  test('an explicit proxy overrules everything', () => {
    expect(via('http://localhost/', { NO_PROXY: '*' }, 'http://own:1')).toBe('own:1');
  });

  test.each([
    ['*', 'https://a.example/', true],
    ['a.example', 'https://a.example/', true],
    ['a.example', 'https://b.a.example/', true],
    ['a.example', 'https://ba.example/', false],
    ['.a.example', 'https://a.example/', false],
    ['.a.example', 'https://b.a.example/', true],
    ['*.a.example', 'https://b.a.example/', true],
    ['A.Example', 'https://a.EXAMPLE/', true],
    ['a.example:8443', 'https://a.example:8443/', true],
    ['a.example:8443', 'https://a.example/', false],
    ['a.example:443', 'https://a.example/', true],
    ['x, a.example ,y', 'https://a.example/', true],
    ['10.1.2.3', 'http://10.1.2.3/', true],
    ['10.1.2.3:80', 'http://10.1.2.3/', true],
    ['10.0.0.0/8', 'http://10.1.2.3/', true],
    ['10.0.0.0/8', 'http://11.1.2.3/', false],
    ['10.0.0.0/99', 'http://10.1.2.3/', false],
    ['10.0.0.0/8', 'http://a.example/', false],
    ['fd00::/8', 'http://[fd12::1]/', true],
    ['fd00::/8', 'http://[fe12::1]/', false],
    ['[fd12::1]:80', 'http://[fd12::1]/', true],
    ['fd12::1', 'http://[fd12::1]/', true],
    ['fd12:0:0::1', 'http://[fd12::1]/', true],
    ['[FD12:0:0:0:0:0:0:1]:80', 'http://[fd12::1]/', true],
    ['fd12:0:0::2', 'http://[fd12::1]/', false],
    ['fe80::1%eth0', 'http://[fe80::1]/', false],
    ['fe80::1%eth0/64', 'http://[fe80::1]/', false],
    ['::', 'http://0.0.0.0/', false],
  ])('NO_PROXY %s, %s: direct %s', (list, target, direct) => {
    expect(via(target, { NO_PROXY: list }) === undefined).toBe(direct);
  });

  test('takes socks5h for socks5', () => {
    const proxy = proxyFor(new URL('http://a.example'), { HTTP_PROXY: 'socks5h://us:pw@p.example:1080' });
    expect(proxy?.href).toBe('socks5://us:pw@p.example:1080');
  });

  test.each([
    '://',
    'ftp://p.example',
    'http://',
    'http://user:secret@',
    'user:secret@p.example:port',
    'http//user:secret@p.example',
    'socks5h://user:secret@',
  ])('%s is refused without being repeated', value => {
    const target = new URL('http://a.example');
    for (const [name, attempt] of [
      ['proxy', () => proxyFor(target, {}, value)],
      ['HTTP_PROXY', () => proxyFor(target, { HTTP_PROXY: value })],
      ['http_proxy', () => proxyFor(target, { http_proxy: value })],
    ] as const) {
      expect(attempt).toThrow(`${name} is not the URL of a proxy: http://host:port is expected`);
      expect(attempt).not.toThrow(/secret/);
    }
  });
});
