import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { merge, readFalco } from '../../../src/cli/doctor/falco-file.ts';
import { checkFalco } from '../../../src/cli/doctor/falco-wiring.ts';
import { folder } from './support.ts';

const NO_AUTH = { token: '', username: '', password: '', path: '', adminToken: '' };
const PLAIN = { port: 2801, auth: NO_AUTH };
const TLS = {
  port: 2801,
  auth: NO_AUTH,
  tls: { certFile: 'c', keyFile: 'k', plainPort: 2810, plainPaths: ['/ping'] },
};

function wired(http: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  return {
    json_output: true,
    http_output: { enabled: true, url: 'http://tiercel:2801/', keep_alive: true, ...http },
    ...more,
  };
}

/** Names and levels of all that is not ok. */
function wrong(settings: Record<string, unknown>, server: Parameters<typeof checkFalco>[1] = PLAIN) {
  return checkFalco(settings, server)
    .filter(({ level }) => level !== 'ok')
    .map(({ name, level }) => `${level} ${name.replace('falco ', '')}`);
}

describe('what Falco sends', () => {
  test('all is well', () => {
    expect(wrong(wired())).toEqual([]);
  });

  test('Falco as it comes: plain text, and not over HTTP', () => {
    expect(wrong({})).toEqual(['fail json_output', 'fail http_output.enabled']);
  });

  test('keys turned off lose something', () => {
    const off = {
      json_include_output_property: false,
      json_include_tags_property: false,
      json_include_output_fields_property: false,
    };
    expect(wrong(wired({}, off))).toEqual(Object.keys(off).map(key => `warn ${key}`));
  });

  test('no keep-alive is a warning', () => {
    expect(wrong(wired({ keep_alive: false }))).toEqual(['warn http_output.keep_alive']);
  });
});

describe('where Falco sends to', () => {
  test.each([
    { url: '', level: 'fail', says: 'is empty' },
    { url: 'tiercel:2801', level: 'fail', says: 'http://' },
    { url: 'https://tiercel:2801/', level: 'fail', says: 'plain HTTP' },
    { url: 'http://localhost:8080/', level: 'fail', says: '8080' },
    { url: 'http://tiercel/', level: 'warn', says: 'port 80' },
    { url: 'http://tiercel:2801/healthz', level: 'fail', says: '/healthz does not take alerts' },
    { url: 'http://tiercel:2801/?x=1', level: 'warn', says: 'query' },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: how Falco writes a variable
    { url: 'http://${TIERCEL_HOST}:2801/', level: 'warn', says: 'variable' },
  ])('$url: $level', ({ url, level, says }) => {
    const check = checkFalco(wired({ url }), PLAIN).find(({ name }) => name === 'falco http_output.url')!;
    expect(check.level).toBe(level);
    expect(check.message).toContain(says);
  });

  test.each([
    'http://tiercel:2801',
    '"http://tiercel:2801/"',
    'http://10.0.0.7:2801/any/path',
    'http://t:2801/api/v1/alerts',
  ])('%s fits', url => {
    expect(wrong(wired({ url }))).toEqual([]);
  });

  test.each([
    { url: 'http://tiercel:2801/', expected: ['fail http_output.url'] },
    { url: 'https://tiercel:2801/', expected: [] },
    // The plain port serves /ping here, no alerts.
    { url: 'http://tiercel:2810/', expected: ['fail http_output.url', 'warn http_output.url'] },
  ])('with TLS: $url', ({ url, expected }) => {
    expect(wrong(wired({ url }), TLS)).toEqual(expected);
  });

  test('the plain port may take alerts', () => {
    const server = { ...TLS, tls: { ...TLS.tls, plainPaths: ['/'] } };
    expect(wrong(wired({ url: 'http://tiercel:2810/' }), server)).toEqual([]);
  });

  test('client certificates and no check of the server', () => {
    const server = { ...TLS, tls: { ...TLS.tls, clientCaFile: 'ca' } };
    const http = { url: 'https://tiercel:2801/', insecure: true };
    expect(wrong(wired(http), server)).toEqual(['warn http_output.insecure', 'fail http_output.mtls']);
    expect(wrong(wired({ ...http, insecure: false, mtls: true }), server)).toEqual([]);
  });

  test.each([
    { auth: { path: 's3cret' }, url: 'http://tiercel:2801/s3cret', fits: true },
    { auth: { path: 's3cret' }, url: 'http://tiercel:2801/s3cret/ping', fits: false },
    { auth: { path: 's3cret' }, url: 'http://tiercel:2801/', fits: false },
    { auth: { username: 'falco', password: 'p@ss' }, url: 'http://falco:p%40ss@tiercel:2801/', fits: true },
    { auth: { username: 'falco', password: 'p@ss' }, url: 'http://falco:wr0ng@tiercel:2801/', fits: false },
    { auth: { password: 'p' }, url: 'http://falco:%zz@tiercel:2801/', fits: false },
    { auth: { token: 't0ken' }, url: 'http://tiercel:2801/', fits: false },
    { auth: { token: 't0ken', path: 's3cret' }, url: 'http://tiercel:2801/s3cret', fits: true },
  ])('credentials $auth and $url', ({ auth, url, fits }) => {
    const server = { port: 2801, auth: { ...NO_AUTH, ...auth } };
    const checks = checkFalco(wired({ url }), server);
    expect(wrong(wired({ url }), server)).toEqual(fits ? [] : ['fail http_output.url']);
    // A check is printed: no credential may be in it.
    expect(JSON.stringify(checks)).not.toMatch(/s3cret|p@ss|p%40ss|t0ken|wr0ng/);
  });
});

describe('Falco’s files', () => {
  test('a later file replaces the whole map at the top, as in Falco', () => {
    const path = folder();
    mkdirSync(join(path, 'config.d'));
    const main = join(path, 'falco.yaml');
    writeFileSync(
      main,
      `config_files: [${join(path, 'config.d')}]\njson_output: yes\nhttp_output: {enabled: true, url: "http://a:2801"}\n`,
    );
    writeFileSync(join(path, 'config.d', '10-a.yaml'), 'http_output: {url: "http://b:2801"}\n');
    writeFileSync(join(path, 'config.d', '20-b.yaml'), 'rules: [1\n');
    writeFileSync(join(path, 'config.d', 'notes.txt'), 'json_output: false\n');
    const { settings, files, problems } = readFalco(main);
    expect(settings.json_output).toBe(true);
    expect(settings.http_output).toEqual({ url: 'http://b:2801' });
    expect(files).toEqual([main, join(path, 'config.d', '10-a.yaml')]);
    expect(problems).toEqual([expect.stringContaining('20-b.yaml')]);
  });

  test('strategies of config_files', () => {
    const base = { a: [1], b: 1 };
    const added = { a: [2], b: 2, c: 3 };
    expect(merge(base, added, 'append')).toEqual({ a: [1, 2], b: 2, c: 3 });
    expect(merge(base, added, 'override')).toEqual({ a: [2], b: 2, c: 3 });
    expect(merge(base, added, 'add-only')).toEqual({ a: [1], b: 1, c: 3 });
  });

  test('a folder that is not there is no problem, a file that cannot be read is an error', () => {
    const path = folder({ 'falco.yaml': 'config_files: /nowhere/at/all\n', 'bad.yaml': '- 1\n' });
    expect(readFalco(join(path, 'falco.yaml')).problems).toEqual([]);
    expect(() => readFalco(join(path, 'none.yaml'))).toThrow(/none\.yaml: there is no such file/);
    expect(() => readFalco(join(path, 'bad.yaml'))).toThrow('holds no keys');
  });
});
