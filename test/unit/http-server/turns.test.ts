import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sealAlert } from '../../../src/core/alert/alert.ts';
import { parseAlert } from '../../../src/core/alert/parse.ts';
import { alertText, call, type Rig, startServer } from './support.ts';

/** A busy machine takes its time. */
const SLOW = { timeout: 20_000 };

let rig: Rig;
let release: () => void;
let working = 0;
let most = 0;
const sockets: Socket[] = [];
beforeEach(async () => {
  rig = await startServer();
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  working = most = 0;
  // What an answer is made of takes its time.
  const hold = async () => {
    most = Math.max(most, ++working);
    await held;
    working--;
  };
  const { backend } = rig;
  backend.entries = async function* () {
    await hold();
    yield* [];
  };
  const box = backend.deadLetters();
  backend.deadLetters = () => ({ ...box, list: () => hold().then(() => []) });
  const metrics = await backend.metrics();
  backend.metrics = () => hold().then(() => metrics);
});
afterEach(async () => {
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.destroy();
  release();
  await rig.close();
});

const statuses = (count: number, path: (index: number) => string) =>
  Promise.all(Array.from({ length: count }, (_, index) => call(rig.url + path(index)))).then(answers =>
    answers.map(({ status }) => status),
  );
/** All that comes over a connection until it has closed. */
const textOf = async (socket: Socket) => {
  let text = '';
  socket.on('data', chunk => {
    text += chunk;
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return text;
};
const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

test('eight pages of alerts and dead letters are made at once, the others wait and come', async () => {
  const answers = statuses(20, index => (index % 2 ? '/api/v1/alerts' : '/api/v1/dead-letters'));
  await expect.poll(() => working).toBe(8);
  // Whatever else there is to be asked has its answer meanwhile.
  expect((await call(`${rig.url}/api/v1/status`)).status).toBe(200);
  await sleep(50);
  expect(most).toBe(8);
  release();
  expect(await answers).toEqual(Array(20).fill(200));
  expect(most).toBe(8);
});

test('four scrapes are answered at once, the others wait and come', async () => {
  const answers = statuses(10, () => '/metrics');
  await expect.poll(() => working).toBe(4);
  await sleep(50);
  expect(most).toBe(4);
  release();
  expect(await answers).toEqual(Array(10).fill(200));
});

test.each(['/api/v1/alerts', '/api/v1/dead-letters', '/metrics'])(
  'who waits too long for %s is told when to ask again',
  async path => {
    fakeTimers();
    const places = path === '/metrics' ? 4 : 8;
    const answers = statuses(places, () => path);
    await vi.waitUntil(() => working === places, SLOW);
    const late = call(rig.url + path);
    await vi.waitUntil(() => vi.getTimerCount() > places, SLOW);
    vi.advanceTimersByTime(5_000);
    expect(await late).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    release();
    expect(new Set(await answers)).toEqual(new Set([200]));
  },
);

test('readers that never read keep the others waiting for a minute at most', async () => {
  const large = sealAlert(parseAlert(alertText({ output: 'x'.repeat(15_000_000) })).draft!);
  rig.backend.append([large]);
  rig.backend.entries = async function* () {
    most++;
    yield { offset: 1, appendedAt: 1, alert: large };
  };
  fakeTimers();
  const ends: Promise<unknown>[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = connect(rig.port, '127.0.0.1').pause();
    socket.on('error', () => {});
    sockets.push(socket);
    ends.push(once(socket, 'close'));
    socket.write('GET /api/v1/alerts HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  // Each reads the log twice: to see that it can be read, and for what is in it.
  await vi.waitUntil(() => most === 16, SLOW);
  vi.advanceTimersByTime(60_000);
  for (const socket of sockets) socket.resume();
  await Promise.all(ends);
  const { status, body } = await call(`${rig.url}/api/v1/alerts`);
  expect(status).toBe(200);
  expect(body.length).toBeGreaterThan(15_000_000);
});

test('who leaves makes room', async () => {
  for (let i = 0; i < 8; i++) {
    const socket = connect(rig.port, '127.0.0.1');
    sockets.push(socket);
    socket.write('GET /api/v1/alerts HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  await expect.poll(() => working).toBe(8);
  const late = call(`${rig.url}/api/v1/alerts`);
  await sleep(50);
  expect(working).toBe(8);
  sockets.pop()!.destroy();
  await expect.poll(() => working).toBe(9);
  release();
  expect((await late).status).toBe(200);
});

test('who has ended its side makes room for those that wait, and has its answer where none does', async () => {
  const answers: Promise<string>[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    answers.push(textOf(socket));
    socket.end('GET /api/v1/alerts HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  await expect.poll(() => working).toBe(8);
  await sleep(50);
  const late = call(`${rig.url}/api/v1/alerts`);
  await expect.poll(() => working).toBe(9);
  release();
  expect((await late).status).toBe(200);
  const [gone, ...others] = await Promise.all(answers);
  expect(gone).toBe('');
  for (const answer of others) expect(answer).toContain('"items":[]');
});
