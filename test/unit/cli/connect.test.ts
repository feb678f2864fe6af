import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cli, daemon, folder, nobody, problem } from './support.ts';

describe('talking to a daemon', () => {
  test('nobody there: 3, with the address and what to do', async () => {
    const url = await nobody();
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(3);
    expect(err).toContain(`no daemon at ${url}: connection refused`);
    expect(err).toContain('tiercel run');
  });

  test.each([
    { argv: ['--token', 'from-option'], env: { TIERCEL_TOKEN: 'from-env' }, wanted: 'Bearer from-option' },
    { argv: [], env: { TIERCEL_TOKEN: 'from-env' }, wanted: 'Bearer from-env' },
    { argv: [], env: {}, wanted: undefined },
  ])('token $wanted', async ({ argv, env, wanted }) => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    await cli(['test', ...argv], { env: { ...env, TIERCEL_URL: url } });
    expect(asked[0]!.headers.authorization).toBe(wanted);
  });

  test('user name, password and secret path of the address are used and never shown', async () => {
    const { url, asked } = await daemon({
      'POST /s3cret/api/v1/test': (_asked, response) => problem(response, 500, 'out of order'),
    });
    const address = `${url.replace('//', '//falco:p%40ss@')}/s3cret`;
    const { err } = await cli(['test', '--url', address]);
    expect(asked[0]!.headers.authorization).toBe(`Basic ${Buffer.from('falco:p@ss').toString('base64')}`);
    expect(err).toContain('Not so: out of order');
    expect(err).not.toMatch(/p@ss|p%40ss|s3cret/);
  });

  test('without an address the port comes from LISTENPORT', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    await cli(['test'], { env: { LISTENPORT: new URL(url).port } });
    expect(asked).toHaveLength(1);
  });

  test('variables that are empty count as not set', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    const empty = { TIERCEL_URL: '', TIERCEL_TOKEN: '' };
    await cli(['test'], { env: { ...empty, LISTENPORT: new URL(url).port } });
    expect(asked).toHaveLength(1);
    const yaml = `listenport: ${new URL(url).port}\nauth: { admintoken: of-the-file }`;
    const file = join(folder({ 'config.yaml': yaml }), 'config.yaml');
    await cli(['test', '-c', file], { env: { ...empty, LISTENPORT: '' } });
    expect(asked[1]!.headers.authorization).toBe('Bearer of-the-file');
  });

  test('loopback is asked past a proxy', async () => {
    const proxy = await daemon({});
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    const { code } = await cli(['test', '--url', url], {
      env: { http_proxy: proxy.url, HTTP_PROXY: proxy.url },
    });
    expect({ code, direct: asked.length, proxied: proxy.asked.length }).toEqual({
      code: 0,
      direct: 1,
      proxied: 0,
    });
  });

  test('a refusal is told in the daemon’s words, with how to get in', async () => {
    const { url } = await daemon({
      'POST /api/v1/test': (_asked, response) => problem(response, 401, 'this wants the admin token'),
    });
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(1);
    expect(err).toContain('this wants the admin token');
    expect(err).toContain('TIERCEL_TOKEN');
  });

  test('something else than Tiercel answers', async () => {
    const { url } = await daemon({
      'POST /api/v1/test': (_asked, response) => {
        response.statusCode = 400;
        return 'Please send a valid request body\n';
      },
    });
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(1);
    expect(err).toContain('no Tiercel daemon');
  });

  test.each(['localhost:2801', 'ftp://127.0.0.1', 'tiercel'])('--url %s is no address', async url => {
    const { code, err } = await cli(['test', '--url', url]);
    expect(code).toBe(2);
    expect(err).toContain('--url');
  });
});
