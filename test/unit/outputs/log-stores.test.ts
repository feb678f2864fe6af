/** What the plain log stores do with several alerts, and with answers that count what was refused. */
import { describe, expect, test } from 'vitest';
import type { HttpRequest, HttpResponse, OutputDefinition } from '../../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import datadoglogs from '../../../src/outputs/datadoglogs.ts';
import openobserve from '../../../src/outputs/openobserve.ts';
import quickwit from '../../../src/outputs/quickwit/index.ts';
import splunk from '../../../src/outputs/splunk.ts';
import sumologic from '../../../src/outputs/sumologic.ts';
import zincsearch from '../../../src/outputs/zincsearch.ts';
import { alertOf } from '../../support/alerts.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { hostOf } from '../../support/services/drive.ts';

const alerts = ['first', 'second\nline', 'third'].map(output =>
  alertOf(
    // As a sender may lay it out: its line breaks must not end up between the lines of a batch.
    JSON.stringify(
      { rule: 'R', priority: 'Notice', time: '2026-01-31T12:00:00Z', output, output_fields: { a: [1] } },
      null,
      2,
    ),
  ),
);

type Answer = { status?: number; body?: object | string };

/** Opens an output against answers given one after the other; the last one stays. */
async function open(definition: OutputDefinition, answers: Answer[] = [{}], config: object = {}) {
  const requests: HttpRequest[] = [];
  const output = await definition.open(definition.keys.parse({ ...definition.example, ...config }), {
    ...hostOf(),
    http: {
      async send(request): Promise<HttpResponse> {
        requests.push(request);
        const { status = 200, body = {} } = answers.length > 1 ? answers.shift()! : answers[0]!;
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        return { status, headers: {}, body: text };
      },
    },
  });
  const send = (count = alerts.length) =>
    failureOf(output.send(alerts.slice(0, count), { signal: patience(), attempt: 1 }));
  return { output, send, requests };
}

const byLine = (body: HttpRequest['body']) =>
  String(body)
    .split('\n')
    .map(line => JSON.parse(line));

describe.each<[OutputDefinition]>([[openobserve], [quickwit], [sumologic]])('$name', definition => {
  test('takes a line of JSON for each alert', async () => {
    const { send, requests } = await open(definition);
    expect(await send()).toBeUndefined();
    expect(requests).toHaveLength(1);
    expect(byLine(requests[0]!.body)).toEqual(alerts.map(({ json }) => JSON.parse(json)));
  });
});

test('splunk takes events one behind the other', async () => {
  const { send, requests } = await open(splunk);
  await send();
  expect(byLine(requests[0]!.body)).toEqual(
    alerts.map(({ json }) => ({ event: JSON.parse(json), sourcetype: 'falcosidekick' })),
  );
});

test('datadoglogs takes a list', async () => {
  const { send, requests } = await open(datadoglogs);
  await send();
  const entries = JSON.parse(String(requests[0]!.body)) as { message: string }[];
  expect(entries.map(({ message }) => message)).toEqual(alerts.map(({ json }) => json));
});

test('datadoglogs leaves tags out that come to nothing', async () => {
  const { output, requests } = await open(datadoglogs);
  const alert = alertOf(
    '{"rule":"R","priority":"Error","time":"2026-01-31T12:00:00Z","output_fields":{},"tags":[""]}',
  );
  await output.send([alert], { signal: patience(), attempt: 1 });
  expect(String(requests[0]!.body)).not.toContain('ddtags');
});

test('zincsearch takes batches where that is asked for', async () => {
  const config = (batching: object) => zincsearch.keys.parse({ ...zincsearch.example, batching });
  expect(zincsearch.batchBy!(config({}))).toBeUndefined();
  expect(zincsearch.batchBy!(config({ enabled: true }))?.items).toBeGreaterThan(1);
  const { send, requests } = await open(zincsearch, [{ body: { record_count: 3 } }], { index: 'sec' });
  expect(await send()).toBeUndefined();
  expect(requests[0]!.url).toBe('http://zincsearch.example:4080/api/_bulk');
  const lines = byLine(String(requests[0]!.body).trimEnd());
  expect(lines.filter((_, line) => line % 2 === 0)).toEqual(alerts.map(() => ({ index: { _index: 'sec' } })));
  expect(lines.filter((_, line) => line % 2 === 1)).toEqual(alerts.map(({ json }) => JSON.parse(json)));
});

describe('an answer that counts alerts that were refused', () => {
  const stream = (failed: number) => ({ status: [{ name: 'falco', successful: 3 - failed, failed }] });
  const counting: [string, OutputDefinition, (failed: number) => object][] = [
    ['openobserve', openobserve, stream],
    ['quickwit', quickwit, failed => ({ num_docs_for_processing: 3, num_rejected_docs: failed })],
    ['zincsearch', zincsearch, failed => ({ record_count: 3 - failed })],
  ];

  test.each(counting)('%s', async (_name, definition, body) => {
    expect(await (await open(definition, [{ body: body(0) }])).send()).toBeUndefined();
    const failure = await (await open(definition, [{ body: body(1) }])).send();
    expect(failure).toBeInstanceOf(PermanentError);
    expect(failure!.message).toContain('1 of 3 alerts were refused');
  });

  test.each(counting)('%s, cut off: the batch is sent again', async (_name, definition, body) => {
    const text = JSON.stringify(body(1));
    for (const cut of [text.slice(0, 1), text.slice(0, -1)]) {
      const { send } = await open(definition, [{ body: cut }]);
      expect(await send()).toBeInstanceOf(RetriableError);
      // A single alert goes by the status.
      expect(await send(1)).toBeUndefined();
    }
  });

  test.each(counting)('%s, through what only says that it is there', async (_name, definition) => {
    for (const body of ['', 'ok', '{}', '[]', '<html></html>']) {
      expect(await (await open(definition, [{ body }])).send()).toBeUndefined();
    }
  });
});

describe("quickwit's index", () => {
  const config = { autocreateindex: true, index: 'fresh' };

  test('is made when it is not there', async () => {
    const { requests } = await open(quickwit, [{ status: 404 }, { status: 200 }], config);
    expect(requests.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
      'GET /api/v1/indexes/fresh/describe',
      'POST /api/v1/indexes',
    ]);
  });

  test('may have been made by somebody else meanwhile', async () => {
    const exists = { status: 400, body: { message: 'index `fresh` already exists' } };
    expect((await open(quickwit, [{ status: 404 }, exists], config)).requests).toHaveLength(2);
  });

  test('keeps the output closed while it can be neither seen nor made', async () => {
    expect(await failureOf(open(quickwit, [{ status: 503 }], config))).toBeInstanceOf(RetriableError);
    const refused = { status: 400, body: { message: 'version not supported' } };
    expect(await failureOf(open(quickwit, [{ status: 404 }, refused], config))).toBeInstanceOf(
      PermanentError,
    );
  });
});
