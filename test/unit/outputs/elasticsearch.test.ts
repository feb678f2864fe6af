import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { withTemplated } from '../../../src/core/alert/alert.ts';
import type { HttpRequest, HttpResponse } from '../../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { indexName, toDocument } from '../../../src/outputs/elasticsearch/document.ts';
import elasticsearch from '../../../src/outputs/elasticsearch/index.ts';
import { alertOf } from '../../support/alerts.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { hostOf, type Logged } from '../../support/services/drive.ts';

type Answer = { status: number; body?: unknown };

/** Opens the output against answers given one after the other; the last one stays. */
async function open(config: object, ...answers: Answer[]) {
  const requests: HttpRequest[] = [];
  const logged: Logged[] = [];
  const output = await elasticsearch.open(
    elasticsearch.keys.parse({ hostport: 'http://es.test:9200', suffix: 'none', ...config }),
    {
      ...hostOf({}, logged),
      http: {
        async send(request): Promise<HttpResponse> {
          requests.push(request);
          const { status, body = {} } = answers.length > 1 ? answers.shift()! : answers[0]!;
          return { status, headers: {}, body: JSON.stringify(body) };
        },
      },
    },
  );
  const send = (...alerts: ReturnType<typeof alertWith>[]) =>
    failureOf(output.send(alerts, { signal: patience(), attempt: 1 }));
  return { send, output, requests, logged, bodies: () => requests.map(({ body }) => String(body)) };
}

const alertWith = (fields: object, extra: object = {}) =>
  alertOf(
    JSON.stringify({
      rule: 'R',
      priority: 'Notice',
      time: '2026-01-31T12:00:00Z',
      output: 'text',
      output_fields: fields,
      ...extra,
    }),
  );
const created = { create: { status: 201 } };
const refused = (status: number, type: string, reason = 'because') => ({
  create: { status, error: { type, reason } },
});
const bulk = (...items: object[]): Answer => ({
  status: 200,
  body: { errors: items.some(item => item !== created), items },
});
const mapping = (field: string) =>
  `[1:99] failed to parse field [output_fields.${field}] of type [long] in document with id 'x'`;
const fieldsOf = (document: string) => Object.keys(JSON.parse(document).output_fields);
/** The documents of a bulk request. */
const documentsOf = (body: string) =>
  body
    .trimEnd()
    .split('\n')
    .filter((_, line) => line % 2 === 1);

test.each([
  ['none', 'falco'],
  ['daily', 'falco-2026.03.09'],
  ['monthly', 'falco-2026.03'],
  ['annually', 'falco-2026'],
] as const)('an index with the suffix %s', (suffix, name) => {
  expect(indexName('falco', suffix, new Date(2026, 2, 9, 23, 59).getTime())).toBe(name);
});

test("a document of the user's own stands between the actions, and keeps its outcome", async () => {
  const { send, bodies } = await open(
    { batching: { enabled: true }, createindextemplate: false, flattenfields: true },
    bulk(created, refused(400, 'document_parsing_exception', mapping('a'))),
  );
  const own = ['{"n":1}', '{"n":2}'].map(json => withTemplated(alertWith({ a: 'b' }), json));
  const error = await send(...own);
  expect(documentsOf(bodies()[0]!)).toEqual(['{"n":1}', '{"n":2}']);
  // Nothing is left out of it: it is not ours.
  expect(bodies()).toHaveLength(1);
  expect(error).toBeInstanceOf(PartialError);
  expect([...(error as unknown as PartialError).failed.keys()]).toEqual([1]);
});

describe('a document', () => {
  const whole = { flatten: false, without: new Set<string>() };

  test('is the alert with its time, numbers exact', () => {
    const alert = alertOf(
      '{"rule":"R","priority":"Notice","time":"2026-01-31T12:00:00Z","output":"o","output_fields":{"evt.time":1743606903434319636}}',
    );
    expect(toDocument(alert, whole)).toBe(`${alert.json.slice(0, -1)},"@timestamp":"2026-01-31T12:00:00Z"}`);
    expect(toDocument(alert, { ...whole, flatten: true })).toContain('"evt_time":1743606903434319636');
  });

  test('has one @timestamp, also when the alert came with one', () => {
    const text = toDocument(alertWith({}, { '@timestamp': 'mine' }), whole);
    expect(text.match(/@timestamp/g)).toHaveLength(1);
    expect(JSON.parse(text)['@timestamp']).toBe('2026-01-31T12:00:00Z');
  });

  test('keeps fields apart that flatten to the same name', () => {
    const text = toDocument(alertWith({ 'a.b': 1, a_b: 2 }), { ...whole, flatten: true });
    expect(JSON.parse(text).output_fields).toEqual({ a_b: 2, a_b_2: 1 });
  });
});

describe('a field of another type than the index has', () => {
  const type = 'document_parsing_exception';

  test('is left out for the sake of the rest, one after the other', async () => {
    const { send, bodies } = await open(
      {},
      { status: 400, body: { error: { type, reason: mapping('a.b') } } },
      { status: 400, body: { error: { type: 'mapper_parsing_exception', reason: mapping('c[1]') } } },
      { status: 201 },
    );
    expect(await send(alertWith({ 'a.b': 1, 'a.bc': 2, 'c[1]': 3 }))).toBeUndefined();
    expect(bodies().map(fieldsOf)).toEqual([['a.b', 'a.bc', 'c[1]'], ['a.bc', 'c[1]'], ['a.bc']]);
    expect(JSON.parse(bodies()[2]!)['@timestamp']).toBe('2026-01-31T12:00:00Z');
  });

  test('is found by the name it was sent with', async () => {
    const { send, bodies } = await open(
      { flattenfields: true },
      { status: 400, body: { error: { type, reason: mapping('a_b') } } },
      { status: 201 },
    );
    await send(alertWith({ 'a.b': 1, c: 2 }));
    expect(bodies().map(fieldsOf)).toEqual([['a_b', 'c'], ['c']]);
  });

  test('is found when the server blames a level above it or within it', async () => {
    const answers = ['proc', 'jevt.value.list'].map(field => ({
      status: 400,
      body: { error: { type, reason: `object mapping for [output_fields.${field}] tried to parse` } },
    }));
    const { send, bodies } = await open({}, ...answers, { status: 201 });
    await send(alertWith({ 'proc.name': 'x', process: 1, 'jevt.value': { list: [] } }));
    expect(bodies().map(fieldsOf).at(-1)).toEqual(['process']);
  });

  test('is told of once', async () => {
    const wrong = { status: 400, body: { error: { type, reason: mapping('a') } } };
    const { send, logged } = await open({}, wrong, { status: 201 }, wrong, { status: 201 });
    await send(alertWith({ a: 1 }));
    await send(alertWith({ a: 1 }));
    expect(logged.map(({ level, fields }) => [level, fields.field])).toEqual([['warn', 'a']]);
  });

  test('ends the tries when leaving it out does not help', async () => {
    const { send, requests } = await open(
      {},
      { status: 400, body: { error: { type, reason: mapping('a') } } },
    );
    expect(await send(alertWith({ a: 1, b: 2 }))).toBeInstanceOf(PermanentError);
    expect(requests).toHaveLength(2);
  });

  test('costs the others of a bulk request nothing', async () => {
    const { send, bodies } = await open(
      { batching: { enabled: true } },
      bulk(created, refused(400, type, mapping('a')), created),
      bulk(created),
    );
    expect(await send(alertWith({ n: 1 }), alertWith({ a: 2, n: 2 }), alertWith({ n: 3 }))).toBeUndefined();
    const [first, second] = bodies().map(documentsOf);
    expect(first).toHaveLength(3);
    expect(second!.map(document => JSON.parse(document).output_fields)).toEqual([{ n: 2 }]);
  });
});

describe('a bulk request', () => {
  const config = { batching: { enabled: true }, index: 'sec', pipeline: 'geo ip' };
  const three = [1, 2, 3].map(n => alertWith({ n }));

  test('is made of actions and documents in turns, also for one alert', async () => {
    const { send, requests, bodies } = await open(config, bulk(created));
    expect(await send(three[0]!)).toBeUndefined();
    expect(requests[0]!.url).toBe('http://es.test:9200/_bulk?pipeline=geo%20ip');
    const [action, document, end] = bodies()[0]!.split('\n');
    expect(action).toBe('{"create":{"_index":"sec"}}');
    expect(JSON.parse(document!).output_fields).toEqual({ n: 1 });
    expect(end).toBe('');
  });

  test('has an outcome for each alert', async () => {
    const { send } = await open(
      config,
      bulk(created, refused(429, 'es_rejected_execution_exception'), {
        create: {
          status: 400,
          error: {
            type: 'mapper_parsing_exception',
            reason: 'failed to parse',
            caused_by: { reason: 'field name cannot be an empty string' },
          },
        },
      }),
    );
    const failure = (await send(...three)) as unknown as PartialError;
    expect(failure).toBeInstanceOf(PartialError);
    expect([...failure.failed.keys()]).toEqual([1, 2]);
    expect(failure.failed.get(1)).toBeInstanceOf(RetriableError);
    expect(failure.failed.get(1)!.reason).toBe('rate_limited');
    expect(failure.failed.get(2)).toBeInstanceOf(PermanentError);
    expect(failure.failed.get(2)!.message).toContain('failed to parse: field name cannot be an empty string');
  });

  test.each([
    [503, 'unavailable_shards_exception'],
    [403, 'cluster_block_exception'],
  ])('goes again as a whole when all of it met %i %s', async (status, type) => {
    const { send } = await open(config, bulk(...three.map(() => refused(status, type))));
    expect(await send(...three)).toBeInstanceOf(RetriableError);
  });

  test.each([
    [
      'validation_exception',
      '[2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;',
    ],
    [
      'illegal_argument_exception',
      '[2] total shards, but this cluster currently has [9]/[9] maximum shards open;',
    ],
  ])('goes again while the cluster has no room for a new index: %s', async (type, added) => {
    const error = { type, reason: `Validation Failed: 1: this action would add ${added}` };
    const { send } = await open(config, bulk(...three.map(() => ({ create: { status: 400, error } }))));
    expect(await send(...three)).toBeInstanceOf(RetriableError);
    const single = await open({}, { status: 400, body: { error, status: 400 } });
    expect(await single.send(three[0]!)).toBeInstanceOf(RetriableError);
  });

  test.each([{}, { errors: true, items: [] }, { errors: true, items: [null, {}, 1] }, 'a page'])(
    'goes again when the answer is %j',
    async body => {
      const { send } = await open(config, { status: 200, body });
      expect(await send(...three)).toBeInstanceOf(RetriableError);
    },
  );

  test('is not repeated where its second round fails', async () => {
    const { send } = await open(
      config,
      bulk(created, created, refused(400, 'document_parsing_exception', mapping('n'))),
      { status: 503 },
    );
    const failure = (await send(...three)) as unknown as PartialError;
    expect([...failure.failed.keys()]).toEqual([2]);
    expect(failure.failed.get(2)).toBeInstanceOf(RetriableError);
  });

  test('is compressed where that is asked for', async () => {
    const { send, requests } = await open({ ...config, enablecompression: true }, bulk(created));
    await send(three[0]!);
    expect(requests[0]!.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(requests[0]!.body as Buffer).toString()).toContain('"@timestamp"');
  });

  test('has the limits of `batching`, whose zeros stand for the defaults', () => {
    const limits = (batching: object) =>
      elasticsearch.batchBy!(elasticsearch.keys.parse({ hostport: 'http://es.test', batching }));
    expect(limits({})).toBeUndefined();
    expect(limits({ enabled: true, batchsize: 1000, flushinterval: '2s' })).toMatchObject({
      bytes: 1000,
      waitMs: 2000,
    });
    expect(limits({ enabled: true, batchsize: 0, flushinterval: '0s' })).toMatchObject({
      bytes: 5 * 1024 * 1024,
      waitMs: 1000,
    });
  });
});

describe('the index template', () => {
  const config = {
    createindextemplate: true,
    index: 'sec',
    numberofshards: 0,
    numberofreplicas: 0,
    suffix: 'daily',
  };

  test('is made when it is not there, and fields are flattened', async () => {
    const { requests, send, bodies } = await open(config, { status: 404 }, { status: 200 }, { status: 201 });
    await send(alertWith({ 'a.b': 1 }));
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'PUT', 'POST']);
    expect(requests[1]!.url).toBe('http://es.test:9200/_index_template/sec');
    expect(JSON.parse(bodies()[1]!)).toMatchObject({
      index_patterns: ['sec-*'],
      template: { settings: { number_of_shards: 3, number_of_replicas: 0 } },
    });
    expect(fieldsOf(bodies()[2]!)).toEqual(['a_b']);
  });

  test('is left alone when it is there', async () => {
    expect((await open(config, { status: 200 })).requests).toHaveLength(1);
  });

  test("may be another one, such as falcosidekick's", async () => {
    const reason =
      'index template [sec] has index patterns [sec-*] matching patterns from existing templates [falco]';
    const { requests } = await open(
      config,
      { status: 404 },
      { status: 400, body: { error: { type: 'illegal_argument_exception', reason } } },
    );
    expect(requests).toHaveLength(2);
  });

  test.each([
    [403, PermanentError],
    [503, RetriableError],
  ])('keeps the output closed while the server answers %i', async (status, kind) => {
    expect(await failureOf(open(config, { status }))).toBeInstanceOf(kind);
  });
});

test('user name and password go before the API key', async () => {
  const config = { apikey: 'Zm9v', username: 'u', password: 'p' };
  for (const [own, authorization] of [
    [config, 'Basic dTpw'],
    [{ ...config, password: '' }, 'APIKey Zm9v'],
  ] as const) {
    const { send, requests } = await open(own, { status: 201 });
    await send(alertWith({}));
    expect(requests[0]!.headers.authorization).toBe(authorization);
  }
});

test('a probe fails for a wrong password, not for a key that sees one index only', async () => {
  const probe = async (status: number) => failureOf((await open({}, { status })).output.probe!(patience()));
  expect(await probe(401)).toMatchObject({ reason: 'auth' });
  expect(await probe(403)).toBeUndefined();
});
