import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sealAlert } from '../../../src/core/alert/alert.ts';
import { parseAlert } from '../../../src/core/alert/parse.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { openMemorySpool } from '../../../src/core/spool/open.ts';
import { recordingLogger } from '../../support/logger.ts';
import { realClock, SPOOL } from '../../support/spool.ts';
import { alertText, call, post, type Rig, startServer } from './support.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startServer();
});
afterEach(() => rig.close());

const make = (over: Record<string, unknown> = {}) => sealAlert(parseAlert(alertText(over)).draft!);
const api = (path: string, options: http.RequestOptions & { body?: string } = {}) =>
  call(`${rig.url}/api/v1${path}`, options);
const read = async (path: string) => JSON.parse((await api(path)).body);
const send = (method: string, path: string, body?: unknown) => {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return api(path, {
    method,
    body: text,
    headers: text ? { 'content-length': Buffer.byteLength(text) } : {},
  });
};

const leave = (response: http.IncomingMessage) => response.on('error', () => {}).destroy();

describe('reading', () => {
  it('tells what answers, and how it is', async () => {
    expect(await read('')).toEqual({ name: 'tiercel', version: '1.2.3' });
    expect(await read('/status')).toMatchObject({ version: '1.2.3', spool: { nextOffset: 1 } });
    expect(await read('/outputs')).toEqual({ items: [] });
    expect(await read('/config')).toEqual({ slack: { webhookurl: '***' } });
  });

  it('lists the refusals', async () => {
    await post(rig.url, 'x');
    expect((await read('/refusals')).items).toMatchObject([
      { reason: 'not_json', sender: { address: '127.0.0.1' } },
    ]);
  });

  it.each([
    ['GET', '/nothing', 404],
    ['PUT', '/nothing', 404],
    ['PUT', '/status', 405],
    ['GET', '/reload', 405],
    ['GET', '/%ff', 404],
  ])('%s %s is %d, in a sentence', async (method, path, status) => {
    const answer = await api(path, { method });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(JSON.parse(answer.body)).toMatchObject({
      status,
      detail: expect.any(String),
      title: expect.any(String),
    });
  });

  it.each(['/status', '/outputs', '/config', '/refusals', ''])('%s takes no parameter', async path => {
    expect((await api(`${path}?output=slack`)).status).toBe(400);
  });

  it('a 405 names the methods', async () => {
    expect((await api('/dead-letters', { method: 'PUT' })).headers.allow).toBe('GET, DELETE, HEAD');
  });
});

describe('alerts', () => {
  const rules = async (query: string) =>
    (await read(`/alerts${query}`)).items.map((item: { alert: { rule: string } }) => item.alert.rule);

  it('are shown as they are, numbers exact', async () => {
    const text = alertText().replace('"sh"', '"sh","evt.time":1743606903434319636');
    rig.backend.append([sealAlert(parseAlert(text).draft!)], 1000);
    const { body } = await api('/alerts');
    expect(body).toBe(`{"items":[{"offset":1,"appendedAt":1000,"alert":${rig.backend.taken[0]!.json}}]}`);
    expect(body).toContain('1743606903434319636');
  });

  it('the newest hundred, newest last, older ones by page', async () => {
    for (let i = 1; i <= 1000; i++) rig.backend.append([make({ rule: `r${i}` })]);
    expect(await rules('')).toEqual(Array.from({ length: 100 }, (_, i) => `r${901 + i}`));
    const page = await read('/alerts?limit=3&before=10');
    expect(page.items.map((item: { offset: number }) => item.offset)).toEqual([7, 8, 9]);
    expect(page.before).toBe(7);
    expect((await read('/alerts?limit=10&before=7')).before).toBeUndefined();
  });

  it('pages lead through all that match, each once', async () => {
    for (let i = 1; i <= 1500; i++) rig.backend.append([make({ rule: i % 7 === 0 ? 'seven' : 'other' })]);
    const offsets: number[] = [];
    let before = '';
    do {
      const page = await read(`/alerts?rule=seven&limit=20${before}`);
      offsets.unshift(...page.items.map((item: { offset: number }) => item.offset));
      before = page.before === undefined ? '' : `&before=${page.before}`;
    } while (before);
    expect(offsets).toEqual(Array.from({ length: 214 }, (_, i) => 7 * (i + 1)));
  });

  it('can be filtered', async () => {
    const now = Date.now();
    rig.backend.append([make({ rule: 'a', priority: 'Debug' })], now - 7_200_000);
    rig.backend.append([make({ rule: 'b', priority: 'Critical', source: 'k8s_audit' })], now - 1_800_000);
    rig.backend.append([make({ rule: 'c', output: 'Something ELSE & more' })], now);
    expect(await rules('?since=1h')).toEqual(['b', 'c']);
    expect(await rules('?until=1h')).toEqual(['a']);
    expect(await rules(`?since=${now}`)).toEqual(['c']);
    expect(await rules(`?since=${new Date(now - 7_200_000).toISOString()}&until=30m`)).toEqual(['a', 'b']);
    expect(await rules('?rule=A&rule=c')).toEqual(['a', 'c']);
    expect(await rules('?priority=warning')).toEqual(['b', 'c']);
    expect(await rules('?source=k8s_audit')).toEqual(['b']);
    expect(await rules('?q=else%20%26')).toEqual(['c']);
    expect(await rules('?q=shell&rule=c')).toEqual([]);
  });

  it.each([
    'limit=0',
    'limit=1001',
    'limit=x',
    'since=yesterday',
    'since=2026-02-30',
    'priority=high',
    'follow=maybe',
    'follow=true&until=1h',
    'limit=1&limit=2',
    'rul=a',
    'rule=',
    'rule=a&rule=',
  ])('%s is 400 and names the parameter', async query => {
    const answer = await api(`/alerts?${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).detail).toMatch(new RegExp(`^${query.split('=')[0]}: `));
  });

  it('can be followed', async () => {
    rig.backend.append([make({ rule: 'old' }), make({ rule: 'last' })]);
    const request = http.get(`${rig.url}/api/v1/alerts?follow=true&limit=1&priority=notice`, {
      agent: false,
    });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.headers['content-type']).toContain('application/x-ndjson');
    const lines = createInterface(response)[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value as string).alert.rule;
    expect(await next()).toBe('last');
    rig.backend.append([make({ rule: 'no', priority: 'Debug' }), make({ rule: 'new' })]);
    expect(await next()).toBe('new');
    await post(rig.url, alertText({ rule: 'posted' }));
    expect(await next()).toBe('posted');
    leave(response);
  });

  it('are not followed any more by who has ended its side', async () => {
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write('GET /api/v1/alerts?follow=true HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    socket.end();
    await once(socket.resume(), 'close');
  });

  it('are followed at the pace of the reader, without limit in number', async () => {
    const big = make({ output: 'x'.repeat(50_000) });
    for (let i = 0; i < 400; i++) rig.backend.append([big]);
    let pulled = 0;
    const entries = rig.backend.entries.bind(rig.backend);
    rig.backend.entries = async function* (range, signal) {
      for await (const entry of entries(range, signal)) {
        pulled++;
        yield entry;
      }
    };
    const request = http.get(`${rig.url}/api/v1/alerts?follow=true&since=1h`, { agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    // Nobody reads: far less than everything leaves the log. The API answers meanwhile.
    await read('/status');
    expect(pulled).toBeLessThan(390);
    let seen = 0;
    for await (const _line of createInterface(response)) if (++seen === 400) break;
    expect(pulled).toBe(400);
    leave(response);
  });
});

/** Filters that must not be taken for none. */
const EMPTY = [
  { output: 'slack', ids: [] },
  { ids: [[1]] },
  { ids: [null] },
  { ids: ['5', ''] },
  { ids: [true] },
  { ids: [{}] },
  { output: '' },
  { output: null },
  { rule: [] },
];

describe('dead letters', () => {
  beforeEach(() => {
    rig.backend.letters.push({
      id: 5,
      output: 'slack',
      alert: make(),
      error: 'no such channel',
      reason: 'client_error',
      attempts: 1,
      buriedAt: 1000,
    });
  });

  it('are listed with their alerts', async () => {
    const { items, total } = await read('/dead-letters?output=slack&rule=x&since=1000&limit=5&before=9');
    expect(total).toBe(1);
    expect(items).toMatchObject([
      { id: 5, output: 'slack', reason: 'client_error', alert: { priority: 'Warning' } },
    ]);
    expect(rig.backend.calls).toEqual([
      ['list', expect.objectContaining({ output: 'slack', rule: 'x', since: 1000, limit: 5, before: 9 })],
    ]);
  });

  it('pages lead through all of them, by number and by bytes', async () => {
    const box = openMemorySpool(SPOOL, { clock: realClock, log: recordingLogger() }).deadLetters;
    rig.backend.deadLetters = () => box;
    const letter = { output: 'slack', error: 'no', reason: 'client_error', attempts: 1, buriedAt: 1000 };
    for (let i = 0; i < 5; i++) await box.add({ ...letter, alert: make({ output: 'x'.repeat(9_000_000) }) });
    const pages = async (query: string) => {
      const ids: number[][] = [];
      for (let before: number | undefined = 1000; before !== undefined; ) {
        const page = await read(`/dead-letters?before=${before}${query}`);
        ids.push(page.items.map((item: { id: number }) => item.id));
        before = page.before;
      }
      return ids;
    };
    expect(await pages('')).toEqual([[5, 4], [3, 2], [1]]);
    expect(await pages('&limit=1')).toEqual([[5], [4], [3], [2], [1], []]);
  });

  it('are removed only when it is said which', async () => {
    expect((await send('DELETE', '/dead-letters')).status).toBe(400);
    expect((await send('DELETE', '/dead-letters?all=false')).status).toBe(400);
    expect((await send('DELETE', '/dead-letters?ruel=x')).status).toBe(400);
    expect((await send('DELETE', '/dead-letters?id=x')).status).toBe(400);
    expect((await send('DELETE', '/dead-letters?output=')).status).toBe(400);
    for (const filter of EMPTY) expect((await send('DELETE', '/dead-letters', filter)).status).toBe(400);
    expect(rig.backend.calls).toEqual([]);
    expect((await send('DELETE', '/dead-letters?id=5&id=6')).body).toBe('{"removed":1}');
    expect((await send('DELETE', '/dead-letters', { output: 'slack' })).status).toBe(200);
    expect((await send('DELETE', '/dead-letters?all=true')).status).toBe(200);
    expect(rig.backend.calls).toEqual([
      ['remove', { ids: [5, 6] }],
      ['remove', { output: 'slack' }],
      ['remove', {}],
    ]);
  });

  it('are sent again', async () => {
    expect(await send('POST', '/dead-letters/replay', { output: 'slack', ids: [5] })).toMatchObject({
      status: 202,
      body: '{"queued":7,"skipped":3}',
    });
    expect(rig.backend.calls).toEqual([['replayDeadLetters', { output: 'slack', ids: [5] }]]);
    expect((await send('POST', '/dead-letters/replay', { output: 'nobody' })).status).toBe(404);
    for (const filter of EMPTY) expect((await send('POST', '/dead-letters/replay', filter)).status).toBe(400);
    expect(rig.backend.calls).toHaveLength(1);
  });
});

describe('changing', () => {
  it('has its answer even when the sender has ended its side behind the request', async () => {
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    rig.backend.onReload = () => {
      reached.resolve();
      return gate.promise;
    };
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write('POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    await reached.promise;
    socket.end();
    setTimeout(gate.resolve, 50);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toContain('{"reloaded":true}');
    await once(socket, 'close');
  });

  it('replays a piece of the log', async () => {
    const since = Date.now() - 1000;
    expect((await send('POST', '/replay', { output: 'slack', since, until: since + 5 })).status).toBe(202);
    expect(rig.backend.calls).toEqual([['replayLog', 'slack', { since, until: since + 5 }]]);
    for (const [body, status] of [
      [{ since }, 400],
      [{ output: 'slack' }, 400],
      [{ output: 'slack', since: 'x' }, 400],
      [{ output: 'slack', since, until: since - 1 }, 400],
      [{ output: 'nobody', since }, 404],
      [{ output: ['a', 'b'], since }, 400],
      [{ output: {}, since }, 400],
      [[1], 400],
    ] as const) {
      expect((await send('POST', '/replay', body)).status).toBe(status);
    }
  });

  it('sends test alerts to outputs', async () => {
    const answer = await send('POST', '/test', { output: 'slack' });
    expect(JSON.parse(answer.body)).toEqual({ items: [{ output: 'slack', ok: true, durationMs: 3 }] });
    expect((await send('POST', '/test')).status).toBe(200);
    expect((await send('POST', '/test', { output: 'nobody' })).status).toBe(404);
  });

  it('reloads the configuration', async () => {
    expect((await send('POST', '/reload')).body).toBe('{"reloaded":true}');
    expect((await send('POST', '/reload?x=1')).status).toBe(400);
    expect((await send('POST', '/reload', { x: 1 })).status).toBe(400);
    rig.backend.onReload = () =>
      Promise.reject(
        new ConfigError([{ path: 'slack.x', message: 'unknown key', severity: 'error', line: 3 }]),
      );
    const answer = await send('POST', '/reload');
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.body).problems).toMatchObject([
      { path: 'slack.x', line: 3, text: 'line 3: slack.x: unknown key' },
    ]);
  });

  it('hides what is a defect of ours', async () => {
    rig.backend.onReload = () => Promise.reject(new Error('password=hunter2'));
    const answer = await send('POST', '/reload');
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('hunter2');
    expect(rig.logged.filter(line => line.level === 'error')).toHaveLength(1);
  });

  it.each([
    ['{', 400],
    ['"x"', 400],
    [`{"output":"${'x'.repeat(300_000)}"}`, 413],
  ])('a body like %.10s is %d', async (body, status) => {
    const answer = await api('/reload', { method: 'POST', body, headers: { 'content-length': body.length } });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
  });
});
