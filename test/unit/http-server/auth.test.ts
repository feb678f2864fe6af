import { afterEach, describe, expect, it } from 'vitest';
import type { AuthConfig } from '../../../src/core/config/types.ts';
import { Auth } from '../../../src/core/http-server/auth.ts';
import { alertText, call, post, type Rig, raw, serverConfig, startServer } from './support.ts';

let rig: Rig;
afterEach(() => rig.close());

const NONE: AuthConfig = { token: '', username: '', password: '', path: '', adminToken: '' };
const start = (auth: Partial<AuthConfig>) => startServer({ auth: { ...NONE, ...auth } });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

describe('senders', () => {
  it.each([
    ['the token', bearer('t0ken'), 200],
    ['the token, other case of the scheme', { authorization: 'bEARER t0ken' }, 200],
    ['a wrong token', bearer('t0keN'), 401],
    ['an empty token', bearer(''), 401],
    ['a prefix of the token', bearer('t0ke'), 401],
    ['user and password', basic('falco:p:ss'), 200],
    ['a wrong password', basic('falco:p:s'), 401],
    ['the token as password', basic('t0ken:'), 401],
    ['the password as token', bearer('falco:p:ss'), 401],
    ['nothing', {}, 401],
    ['noise', { authorization: 'Basic %%%' }, 401],
  ])('with %s', async (_name, headers, status) => {
    rig = await start({ token: 't0ken', username: 'falco', password: 'p:ss' });
    const answer = await post(rig.url, alertText(), headers);
    expect(answer.status).toBe(status);
    expect(rig.accepted).toBe(status === 200 ? 1 : 0);
    if (status === 401) {
      expect(answer.headers['www-authenticate']).toBe('Basic realm="tiercel", Bearer realm="tiercel"');
      expect(rig.refused).toEqual(['unauthorized']);
    }
  });

  it('credentials in the URL work, as Falco has no other way', async () => {
    rig = await start({ username: 'falco', password: 'p:ss' });
    const answer = await call(rig.url, { method: 'POST', body: alertText(), auth: 'falco:p:ss' });
    expect(answer.status).toBe(200);
  });

  it.each([
    ['/s3cr3t', 200],
    ['/s3cr3t/', 200],
    ['/s3cr3t/any/thing?x=1', 200],
    ['/s%33cr3t', 200],
    ['/', 401],
    ['/s3cr3', 401],
    ['/s3cr3tt', 401],
    ['/x/s3cr3t', 401],
    ['/%ff', 401],
  ])('with a secret path, POST %s is %d', async (path, status) => {
    rig = await start({ path: 's3cr3t' });
    expect((await post(rig.url + path, alertText())).status).toBe(status);
  });

  it('the secret path is one way in among others, and leads everywhere', async () => {
    rig = await start({ path: '/s3cr3t/', token: 't0ken' });
    expect((await post(rig.url, alertText(), bearer('t0ken'))).status).toBe(200);
    expect((await call(`${rig.url}/metrics`)).status).toBe(401);
    expect((await call(`${rig.url}/s3cr3t/metrics`)).status).toBe(200);
    expect((await call(`${rig.url}/s3cr3t/api/v1/alerts?limit=1`)).status).toBe(200);
    expect((await post(`${rig.url}/test`, '')).status).toBe(401);
    expect((await post(`${rig.url}/s3cr3t/test`, '')).status).toBe(200);
  });

  it('probes stay open, the rest asks', async () => {
    rig = await start({ token: 't0ken', adminToken: 'adm1n' });
    for (const path of ['/ping', '/healthz', '/readyz'])
      expect((await call(rig.url + path)).status).toBe(200);
    for (const path of ['/metrics', '/api/v1/status', '/api/v1/alerts']) {
      const answer = await call(rig.url + path);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Bearer');
      expect((await call(rig.url + path, { headers: bearer('t0ken') })).status).toBe(200);
      expect((await call(rig.url + path, { headers: bearer('adm1n') })).status).toBe(200);
    }
  });

  it('never shows credentials or what may be some, mistyped', async () => {
    rig = await start({ path: 's3cr3t', token: 't0ken' });
    await post(`${rig.url}/s3cr3x?t0ken`, 'x', { ...bearer('t0kenn'), 'user-agent': 'me' });
    await post(`${rig.url}/s3cr3t/in`, 'x');
    await call(`${rig.url}/s3cr3t`);
    const seen = JSON.stringify([rig.server.refusals(), rig.logged]);
    expect(rig.server.refusals()).toHaveLength(3);
    expect(seen).not.toMatch(/s3cr3|t0ken/);
  });

  it('a body without the right to send it is not read', async () => {
    rig = await start({ token: 't0ken' });
    const answer = await raw(
      rig.port,
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
      '12345',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('new credentials are used from the next request on', async () => {
    rig = await start({ token: 'old' });
    expect(rig.server.reconfigure(serverConfig({ auth: { ...NONE, token: 'new' }, port: rig.port }))).toEqual(
      ['the address or port'],
    );
    expect((await post(rig.url, alertText(), bearer('old'))).status).toBe(401);
    expect((await post(rig.url, alertText(), bearer('new'))).status).toBe(200);
  });
});

describe('changing something', () => {
  const reload = (headers: Record<string, string> = {}) =>
    call(`${rig.url}/api/v1/reload`, { method: 'POST', headers });

  it('wants the admin token when there is one', async () => {
    rig = await start({ token: 't0ken', adminToken: 'adm1n' });
    expect((await reload()).status).toBe(401);
    expect((await reload(bearer('t0ken'))).status).toBe(401);
    expect((await reload(bearer('adm1n'))).status).toBe(200);
    expect((await reload({ ...bearer('adm1n'), host: 'tiercel.example' })).status).toBe(200);
    expect((await reload({ ...bearer('adm1n'), origin: 'http://evil.example' })).status).toBe(403);
  });

  it.each([
    ['plainly', {}, 200],
    ['as localhost', { host: 'localhost:2801' }, 200],
    ['as an IPv6 address', { host: '[::1]:2801' }, 200],
    ['as a name that points here', { host: 'rebound.example:2801' }, 403],
    ['as a name that looks local', { host: 'localhost.evil.example' }, 403],
    ['from its own page', { host: 'localhost:2801', origin: 'http://localhost:2801' }, 200],
    ['from a page elsewhere', { origin: 'https://evil.example' }, 403],
    ['from a page on another port', { host: 'localhost:2801', origin: 'http://localhost:8080' }, 403],
    ['from a page without an origin', { origin: 'null' }, 403],
    ['through a proxy', { 'x-forwarded-for': '10.0.0.1' }, 403],
    ['through a standard proxy', { forwarded: 'for=10.0.0.1' }, 403],
  ])('without an admin token this machine may, %s: %o', async (_name, headers, status) => {
    rig = await start({});
    expect((await reload(headers)).status).toBe(status);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['fe80::1', false],
    [undefined, false],
  ])('only from a loopback address: %s', async (remoteAddress, may) => {
    rig = await start({});
    const request = { headers: { host: '127.0.0.1' }, socket: { remoteAddress } };
    const denial = new Auth(NONE).deniesChange(request as never);
    expect(denial === undefined).toBe(may);
  });
});
