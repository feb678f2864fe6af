/** Where answers with 307 and 308 lead, and what goes along. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HttpRequest } from '../../../src/core/contract.ts';
import { type Certs, makeCerts, serverTls } from '../../support/certs.ts';
import { clientOf, closeClients, patience } from '../../support/http-client.ts';
import { always, answer, HttpSink } from '../../support/http-sink.ts';

let dir: string;
let certs: Certs;
let sink: HttpSink;
let secure: HttpSink;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-redirects-'));
  certs = await makeCerts(dir);
});
beforeEach(async () => {
  sink = await HttpSink.listen();
  secure = await HttpSink.listen(always(200), serverTls(certs));
});
afterEach(async () => {
  await closeClients();
  await Promise.all([sink.close(), secure.close()]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const post = (path = '/', more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'POST',
  url: sink.origin + path,
  headers: { 'content-type': 'text/plain' },
  body: 'hello',
  ...more,
});

test('307 and 308 are followed with method and body', async () => {
  sink.reply = ({ target }, socket) => {
    if (target === '/one') socket.write(answer(307, '', { location: '/two' }));
    else if (target === '/two') socket.write(answer(308, '', { location: `${sink.origin}/three?x` }));
    else socket.write(answer(200, 'there'));
  };
  const response = await clientOf({ headers: { token: 't' } }).send(post('/one'), patience());
  expect(response).toMatchObject({ status: 200, body: 'there' });
  expect(sink.requests.at(-1)).toMatchObject({
    method: 'POST',
    target: '/three?x',
    body: 'hello',
    headers: { token: 't' },
  });
});

const secrets = { authorization: 'Bearer t', 'x-api-key': 'k' };
const plain = { 'ce-id': '1', 'content-type': 'a/b' };
const withSecrets = (url: string) => {
  const client = clientOf({ caFiles: [certs.ca], headers: { 'x-api-key': 'k', 'content-type': 'a/b' } });
  return client.send(post('/', { url, headers: { authorization: 'Bearer t', 'ce-id': '1' } }), patience());
};

test('take no credentials to another host', async () => {
  const other = await HttpSink.listen();
  sink.reply = always(307, '', { location: `http://localhost:${other.port}/moved` });
  await withSecrets(sink.origin);
  expect(other.requests[0]!.headers).toMatchObject(plain);
  for (const name in secrets) expect(other.requests[0]!.headers).not.toHaveProperty(name);
  await other.close();
});

test('take all headers to another port of the same host', async () => {
  const other = await HttpSink.listen();
  sink.reply = always(307, '', { location: `${other.origin}/moved` });
  await withSecrets(sink.origin);
  expect(other.requests[0]!.headers).toMatchObject({ ...plain, ...secrets });
  await other.close();
});

test('take all headers from http to https on the same host', async () => {
  sink.reply = always(308, '', { location: `https://localhost:${secure.port}/moved` });
  await withSecrets(`http://localhost:${sink.port}/`);
  expect(secure.requests.at(-1)!.headers).toMatchObject({ ...plain, ...secrets });
});

describe('user name and password of the URL', () => {
  const send = (host: string) =>
    clientOf({ caFiles: [certs.ca] }).send(post('/', { url: `http://us%40:p%3Aw@${host}/one` }), patience());
  const authorization = `Basic ${btoa('us@:p:w')}`;

  test('go along to the same origin', async () => {
    const moved = answer(308, '', { location: `${sink.origin}/two` });
    sink.reply = ({ target }, socket) => void socket.write(target === '/two' ? answer(200) : moved);
    await send(`127.0.0.1:${sink.port}`);
    expect(sink.requests.at(-1)).toMatchObject({ target: '/two', headers: { authorization } });
  });

  test('go along to https on the same host', async () => {
    sink.reply = always(308, '', { location: `https://localhost:${secure.port}/two` });
    await send(`localhost:${sink.port}`);
    expect(secure.requests.at(-1)).toMatchObject({ target: '/two', headers: { authorization } });
  });

  test('give way to those of the new address', async () => {
    const moved = answer(308, '', { location: `http://me:mine@127.0.0.1:${sink.port}/two` });
    sink.reply = ({ target }, socket) => void socket.write(target === '/two' ? answer(200) : moved);
    await send(`127.0.0.1:${sink.port}`);
    expect(sink.requests.at(-1)!.headers).toMatchObject({ authorization: `Basic ${btoa('me:mine')}` });
  });

  test('stay away from another host', async () => {
    const other = await HttpSink.listen();
    sink.reply = always(308, '', { location: `http://localhost:${other.port}/two` });
    await send(`127.0.0.1:${sink.port}`);
    expect(other.requests[0]!.headers).not.toHaveProperty('authorization');
    await other.close();
  });
});

test('in a circle end', async () => {
  sink.reply = always(307, '', { location: '/again' });
  expect(await clientOf().send(post(), patience())).toMatchObject({ status: 307 });
  expect(sink.requests).toHaveLength(4);
});

test.each([301, 302, 303])('%i is not followed: it would turn the request into another', async status => {
  sink.reply = always(status, '', { location: '/two' });
  expect(await clientOf().send(post(), patience())).toMatchObject({ status });
  expect(sink.requests).toHaveLength(1);
});
