import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RetriableError } from '../../../src/core/errors.ts';
import { type Certs, makeCerts, serverTls } from '../../support/certs.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { HttpProxy } from '../../support/http-proxy.ts';
import { always, HttpSink } from '../../support/http-sink.ts';

let dir: string;
let certs: Certs;
let plain: HttpSink;
let secure: HttpSink;
const proxies: HttpProxy[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-proxy-'));
  certs = await makeCerts(dir);
  plain = await HttpSink.listen(always(200, 'plain'));
  secure = await HttpSink.listen(always(200, 'secure'), serverTls(certs));
});
afterEach(async () => {
  await closeClients();
  await Promise.all(proxies.splice(0).map(proxy => proxy.close()));
});
afterAll(async () => {
  await Promise.all([plain.close(), secure.close()]);
  await rm(dir, { recursive: true, force: true });
});

async function proxyTo(sink: HttpSink): Promise<HttpProxy> {
  const proxy = await HttpProxy.listen(sink);
  proxies.push(proxy);
  return proxy;
}

const post = (url: string) => ({
  method: 'POST' as const,
  url,
  headers: { 'content-type': 'text/plain' },
  body: 'hello',
});

test('a plain target is asked for by its whole URL', async () => {
  const proxy = await proxyTo(plain);
  const client = clientOf({}, { env: { http_proxy: `http://us:p%40w@${proxy.host}` } });
  const response = await client.send(post('http://far.example:81/a?b=c'), patience());
  expect(response).toMatchObject({ status: 200, body: 'plain' });
  expect(proxy.asked).toEqual([
    {
      line: 'POST http://far.example:81/a?b=c',
      host: 'far.example:81',
      authorization: `Basic ${btoa('us:p@w')}`,
    },
  ]);
  expect(plain.requests.at(-1)).toMatchObject({ method: 'POST', target: '/a?b=c', body: 'hello' });
});

test('a secure target is reached through a tunnel, and its certificate checked there', async () => {
  const proxy = await proxyTo(secure);
  const env = { HTTPS_PROXY: `http://us:pw@${proxy.host}` };
  const trusting = clientOf({ caFiles: [certs.ca] }, { env });
  const named = clientOf({ caFiles: [certs.ca], serverName: 'localhost' }, { env });
  const request = post('https://far.example/a');
  const headers = { ...request.headers, 'x-size': 'groß 日' };
  const response = await named.send({ ...request, headers }, patience());
  expect(response).toMatchObject({ status: 200, body: 'secure' });
  expect(proxy.asked[0]).toMatchObject({
    line: 'CONNECT far.example:443',
    authorization: `Basic ${btoa('us:pw')}`,
  });
  expect(secure.requests.at(-1)!.headers).not.toHaveProperty('proxy-authorization');
  expect(secure.requests.at(-1)!.headers).toMatchObject({ host: 'far.example', 'x-size': 'groß 日' });
  expect(await failureOf(trusting.send(post('https://far.example/a'), patience()))).toMatchObject({
    reason: 'network',
  });
});

test('a tunnel is used again', async () => {
  const proxy = await proxyTo(secure);
  const connection = { caFiles: [certs.ca], serverName: 'localhost', proxy: `http://${proxy.host}` };
  const client = clientOf(connection, { connections: 1 });
  for (let index = 0; index < 5; index++) await client.send(post('https://far.example/a'), patience());
  expect(proxy.asked).toHaveLength(1);
});

test('loopback and exempt hosts go directly', async () => {
  const proxy = await proxyTo(plain);
  const client = clientOf({}, { env: { HTTP_PROXY: `http://${proxy.host}` } });
  await client.send(post(plain.origin), patience());
  expect(proxy.asked).toEqual([]);
});

test('the proxy of the output wins, also for loopback', async () => {
  const proxy = await proxyTo(plain);
  const client = clientOf(
    { proxy: `http://${proxy.host}` },
    { env: { HTTP_PROXY: 'http://nowhere.invalid' } },
  );
  await client.send(post(`${plain.origin}/x`), patience());
  expect(proxy.asked.map(({ line }) => line)).toEqual([`POST ${plain.origin}/x`]);
});

test('a setting that is not the URL of a proxy is named, and fails the try', async () => {
  const client = clientOf({}, { env: { HTTP_PROXY: 'us:secret@proxy.example:port' } });
  const error = await failureOf(client.send(post('http://far.example/'), patience()));
  expect(error).toBeInstanceOf(RetriableError);
  expect(error!.message).toMatch(/^HTTP_PROXY is not the URL of a proxy: http:\/\/host:port is expected/);
  expect(error!.message).not.toContain('secret');
});

test('a proxy that refuses a tunnel is told of, without its password', async () => {
  const proxy = await proxyTo(secure);
  proxy.refuse = 407;
  const client = clientOf({ proxy: `http://us:secret@${proxy.host}` });
  const error = await failureOf(client.send(post('https://far.example/private'), patience()));
  expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining('407') });
  expect(error!.message).not.toMatch(/secret|private/);
});

test('a proxy that asks for credentials fails the try of a plain request: the target has seen nothing', async () => {
  const proxy = await proxyTo(plain);
  proxy.refuse = 407;
  const client = clientOf({ proxy: `http://us:secret@${proxy.host}` });
  const error = await failureOf(client.send(post('http://far.example/private'), patience()));
  expect(error).toBeInstanceOf(RetriableError);
  expect(error).toMatchObject({
    reason: 'auth',
    message: `the proxy http://${proxy.host} asks for credentials (407)`,
  });
});

test('a proxy that nobody has told of can ask for credentials too', async () => {
  const refusing = await HttpSink.listen(always(407));
  const error = await failureOf(clientOf().send(post(refusing.origin), patience()));
  await refusing.close();
  expect(error).toBeInstanceOf(RetriableError);
  expect(error!.message).toBe(`${refusing.origin}: a proxy before it asks for credentials (407)`);
});

test('any other status of a proxy counts as the target’s', async () => {
  const proxy = await proxyTo(plain);
  proxy.refuse = 403;
  const client = clientOf({ proxy: `http://${proxy.host}` });
  expect(await client.send(post('http://far.example/'), patience())).toMatchObject({ status: 403 });
});

test('a proxied request names its target as the host, unless the output names another', async () => {
  const proxy = await proxyTo(plain);
  for (const headers of [{ 'x-scope': 'host' }, { host: 'me.example' }] as Record<string, string>[]) {
    const client = clientOf({ proxy: `http://${proxy.host}` });
    await client.send({ ...post('http://far.example:81/'), headers }, patience());
  }
  expect(proxy.asked.map(({ host }) => host)).toEqual(['far.example:81', 'me.example']);
});

test('a wait for a tunnel ends with the signal', async () => {
  const silent = await HttpSink.listen(() => {});
  const client = clientOf({ proxy: silent.origin });
  const caller = new AbortController();
  const sent = failureOf(client.send(post('https://far.example/'), caller.signal));
  await silent.until(() => silent.requests.length > 0);
  caller.abort();
  expect(await sent).toMatchObject({ reason: 'timeout' });
  await silent.close();
});
