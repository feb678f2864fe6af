import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Behaviour, numbered, type Sink, type TestDaemon, until, withTwoSinks } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const refusing: Behaviour = (_request, response) => void response.writeHead(400).end();
const LETTERS = 30;

/** A daemon whose webhook has given up letters of a megabyte each. */
async function scene(): Promise<[TestDaemon, Sink]> {
  const [daemon, sink] = await withTwoSinks(cleanups);
  sink.behaviour = refusing;
  await daemon.start({ webhook: { address: sink.url } });
  for (let n = 0; n < LETTERS; n++) {
    expect(await daemon.post({ ...numbered(n), output: 'x'.repeat(1_000_000) })).toBe(200);
  }
  await until('all are given up', async () => (await list(daemon, '?limit=1')).total === LETTERS);
  return [daemon, sink];
}

interface Letters {
  items: { id: number }[];
  before?: number;
  total: number;
}
const list = (daemon: TestDaemon, query = '') => daemon.json<Letters>(`/api/v1/dead-letters${query}`);

async function change(daemon: TestDaemon, path: string, body: unknown) {
  const answer = await fetch(`${daemon.url}/api/v1/${path}`, { method: 'POST', body: JSON.stringify(body) });
  return { status: answer.status, body: (await answer.json()) as unknown };
}

test('dead letters come in pages of some 16 MiB, and all go out again', async () => {
  const [daemon, sink] = await scene();
  const first = await list(daemon);
  expect(first.items).toHaveLength(17);
  const second = await list(daemon, `?before=${first.before}`);
  expect(second.before).toBeUndefined();
  const ids = [...first.items, ...second.items].map(({ id }) => id);
  expect(ids).toEqual(Array.from({ length: LETTERS }, (_, index) => LETTERS - index));

  sink.behaviour = (_request, response) => void response.end();
  expect(await change(daemon, 'dead-letters/replay', {})).toEqual({
    status: 202,
    body: { queued: LETTERS, skipped: 0 },
  });
  await until('none is left', async () => (await list(daemon, '?limit=1')).total === 0);
  expect(sink.missing(Array(LETTERS).keys())).toEqual([]);
}, 60_000);

test('letters of an output that is gone are said to be skipped; asked for by name, it is not found', async () => {
  const [daemon, sink] = await scene();
  await daemon.end();
  await daemon.start({ webhook: [{ name: 'other', address: sink.url }] });
  expect(await change(daemon, 'dead-letters/replay', { since: '1h' })).toEqual({
    status: 202,
    body: { queued: 0, skipped: LETTERS },
  });
  const notFound = {
    status: 404,
    body: expect.objectContaining({ detail: expect.stringMatching(/webhook/) }),
  };
  expect(await change(daemon, 'dead-letters/replay', { output: 'webhook' })).toEqual(notFound);
  expect(await change(daemon, 'test', { output: 'webhook' })).toEqual(notFound);
}, 60_000);

test('a file of dead letters that cannot be opened is told by every page, and breaks none', async () => {
  const [daemon, sink] = await withTwoSinks(cleanups);
  mkdirSync(join(daemon.dataDir, 'dead-letters.sqlite'), { recursive: true });
  await daemon.start({ webhook: { address: sink.url } });
  const problem = { part: 'dead letters', message: expect.stringMatching(/unable to open/), blocking: false };
  for (let asked = 0; asked < 3; asked++) {
    expect(await daemon.json('/readyz')).toEqual({ ready: true, problems: [problem] });
    expect(await daemon.json('/api/v1/status')).toMatchObject({
      outputs: [{ id: 'webhook', deadLetters: 0 }],
    });
    expect((await daemon.get('/metrics')).text).toContain('tiercel_output_dead_letters{output="webhook"} 0');
  }
  expect((await daemon.get('/api/v1/dead-letters')).status).toBe(503);
  expect(await daemon.post(numbered(1))).toBe(200);
  await until('the alert is delivered', () => sink.missing([1].values()).length === 0);
  expect(daemon.logs.match(/dead letters cannot be used; /g)).toHaveLength(1);
}, 60_000);
