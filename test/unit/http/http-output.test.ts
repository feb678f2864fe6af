import { afterEach, describe, expect, test } from 'vitest';
import { parseExact } from '../../../src/core/alert/json.ts';
import type { Host, HttpClient, HttpRequest, HttpResponse } from '../../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { list, secret, secretUrl } from '../../../src/core/keys.ts';
import { defineHttpOutput, type HttpOutputDefinition } from '../../../src/outputs/_kit/http.ts';
import { alertOfRule } from '../../support/delivery.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { recordingLogger } from '../../support/logger.ts';

const keys = { url: secretUrl('Where to.'), key: secret('The key.'), groups: list('Groups.') };
type Keys = typeof keys;

const requests: HttpRequest[] = [];
let response: HttpResponse = { status: 200, headers: {}, body: '{}' };
afterEach(() => {
  requests.length = 0;
  response = { status: 200, headers: {}, body: '{}' };
});

const http: HttpClient = {
  async send(request) {
    requests.push(request);
    return response;
  },
};
const host: Host = {
  id: 'x',
  http,
  connect: () => http,
  outputs: () => ['x'],
  customFields: () => [],
  templatedFields: () => [],
  tls: { verify: true },
  clock: { now: () => 1_000_000, monotonic: () => performance.now(), random: () => 0 },
  log: recordingLogger(),
  templateFailed() {},
};

function define(more: Partial<HttpOutputDefinition<Keys>> = {}) {
  return defineHttpOutput<Keys>({
    name: 'x',
    title: 'X',
    category: 'other',
    docs: 'Only for tests.',
    keys,
    enabledBy: 'url',
    request: (alert, config) => ({ url: config.url, json: { rule: alert.rule } }),
    example: { url: 'https://x.example/hook/token' },
    ...more,
  });
}

async function send(more: Partial<HttpOutputDefinition<Keys>>, rules = ['a'], config: object = {}) {
  const definition = define(more);
  const output = await definition.open(
    definition.keys.parse({ url: 'https://x.example/hook/token', ...config }),
    host,
  );
  return output.send(rules.map(alertOfRule), { signal: patience(), attempt: 1 });
}

describe('defineHttpOutput', () => {
  test('posts JSON', async () => {
    await send({});
    expect(requests).toEqual([
      {
        method: 'POST',
        url: 'https://x.example/hook/token',
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: '{"rule":"a"}',
      },
    ]);
  });

  test('writes numbers digit for digit', async () => {
    const time = parseExact('{"t":1743606903434319636}');
    await send({ request: (_alert, { url }) => ({ url, json: time }) });
    expect(requests[0]!.body).toBe('{"t":1743606903434319636}');
  });

  test('takes method, headers and a body as they are', async () => {
    const body = Buffer.from('x');
    await send({
      request: (_alert, { url }) => ({
        url,
        method: 'PUT',
        body,
        headers: { 'content-type': 'a/b', 'x-y': 'z' },
      }),
    });
    expect(requests[0]).toMatchObject({ method: 'PUT', headers: { 'content-type': 'a/b', 'x-y': 'z' } });
    expect(requests[0]!.body).toBe(body);
  });

  test('is on when all of its keys are set', () => {
    const definition = define({ enabledBy: ['url', 'key', 'groups'] });
    const enabled = (config: object) => definition.enabled(definition.keys.parse(config));
    expect(enabled({ url: 'https://x.example', key: 'k', groups: 'a,b' })).toBe(true);
    expect(enabled({ url: 'https://x.example', key: 'k' })).toBe(false);
    expect(enabled({ url: '', key: 'k', groups: ['a'] })).toBe(false);
  });

  test('a message that cannot be built is refused for good, without quoting anything', async () => {
    const error = await failureOf(
      send({
        request: () => {
          throw new TypeError('token k-1 of undefined');
        },
      }),
    );
    expect(error).toBeInstanceOf(PermanentError);
    expect(error).toMatchObject({ reason: 'payload', message: 'the message cannot be built (TypeError)' });
    expect(requests).toEqual([]);
  });

  test('a message that JSON cannot hold is one of those', async () => {
    const error = await failureOf(send({ request: (_alert, { url }) => ({ url, json: { n: 1n } }) }));
    expect(error).toMatchObject({ name: 'PermanentError', reason: 'payload' });
  });

  test('an output may say itself what it will not send', async () => {
    const own = new RetriableError('no token yet', { reason: 'auth' });
    const request = () => {
      throw own;
    };
    expect(await failureOf(send({ request }))).toBe(own);
  });

  test('puts several alerts into one request where it can', async () => {
    const batch = { items: 10, bytes: 1e6, waitMs: 100 };
    const requestBatch: HttpOutputDefinition<Keys>['requestBatch'] = (alerts, { url }) => ({
      url,
      json: alerts.map(({ rule }) => rule),
    });
    await send({ batch, requestBatch }, ['a', 'b']);
    await send({ batch, requestBatch }, ['c']);
    expect(requests.map(({ body }) => body)).toEqual(['["a","b"]', '{"rule":"c"}']);
  });

  test('signs last', async () => {
    await send(
      {
        sign: (request, config, now) => ({
          ...request,
          headers: { ...request.headers, 'x-signature': `${config.key}:${now}:${request.body}` },
        }),
      },
      ['a'],
      { key: 'k' },
    );
    expect(requests[0]!.headers['x-signature']).toBe('k:1000000:{"rule":"a"}');
  });

  test('looks into an answer that was well', async () => {
    response = { status: 200, headers: {}, body: '{"errors":[1]}' };
    const failed = new Map([[1, new PermanentError('no', { reason: 'client_error' })]]);
    const verdict: HttpOutputDefinition<Keys>['verdict'] = ({ body }, alerts) => {
      if (body.includes('errors') && alerts.length === 2) throw new PartialError(failed);
    };
    expect(await failureOf(send({ verdict }, ['a', 'b']))).toBeInstanceOf(PartialError);
    expect(await failureOf(send({ verdict }, ['a']))).toBeUndefined();
  });

  test('masks its secrets in what the far side says', async () => {
    response = { status: 400, headers: {}, body: 'no such key: k-3141 at /hook/token' };
    const error = await failureOf(
      send({}, ['a'], { key: 'k-3141', url: 'https://x.example/hook/token-2718' }),
    );
    expect(error!.message).toBe('answered 400 Bad Request: no such key: *** at /hook/token');
  });

  test('is probed without its credentials', async () => {
    const definition = define();
    const config = definition.keys.parse({ url: 'https://user:pw@x.example/hook/token' });
    await (await definition.open(config, host)).probe!(patience());
    expect(requests).toEqual([{ method: 'GET', url: 'https://x.example/', headers: {}, body: undefined }]);
  });
});
