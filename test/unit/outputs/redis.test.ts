import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { PartialError } from '../../../src/core/errors.ts';
import { toFailure } from '../../../src/outputs/redis/failures.ts';
import redis, { toCommand } from '../../../src/outputs/redis/index.ts';
import { RawServer } from '../../support/raw-server.ts';
import { falcoAlert, falcoAlerts } from '../../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../../support/services/drive.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** An output whose server is raw bytes. */
async function outputTo(serve: (socket: Socket) => void, config: Record<string, unknown> = {}) {
  const server = await RawServer.listen(serve);
  cleanups.push(() => server.close());
  const output = await openOutput(redis, { address: `127.0.0.1:${server.port}`, ...config });
  cleanups.push(() => output.close?.());
  return { output, sockets: server.sockets };
}

/** Each failure of a send of so many alerts, in its place. */
async function failuresOf(send: Promise<void>, count: number) {
  const failure = await failureOf(send);
  return Array.from({ length: count }, (_, at) =>
    failure instanceof PartialError ? failure.failed.get(at) : failure,
  );
}

test('an alert becomes one command', () => {
  const alert = falcoAlert();
  expect(toCommand(alert, 'list', 'falco')).toEqual(['RPUSH', 'falco', alert.bytes]);
  expect(toCommand(alert, 'hashmap', 'k')).toEqual(['HSET', 'k', alert.uuid, alert.bytes]);
});

describe('the configuration', () => {
  const problems = (config: Record<string, unknown>) => redis.check!(redis.keys.parse(config));

  test('takes host and port, IPv6 too', () => {
    for (const address of ['redis', 'redis:6379', '[::1]:1', '10.0.0.1:7000'])
      expect(problems({ address })).toEqual([]);
  });

  test('refuses addresses with more in them, and says what to do', () => {
    expect(problems({ address: 'rediss://h:1' })).toMatchObject([
      { path: 'address', hint: expect.stringContaining('tls: true') },
    ]);
    expect(problems({ address: 'user:secret@h:1' })[0]!.message).not.toContain('secret');
    expect(problems({ address: 'h:70000' })).toHaveLength(1);
    expect(problems({ address: 'h', username: 'ada' })).toMatchObject([{ path: 'username' }]);
  });
});

describe('an answer of the server', () => {
  const reason = (message: string) => toFailure(new Error(message));

  test.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'auth'],
    ['NOAUTH Authentication required.', 'auth'],
    ["NOPERM User ada has no permissions to run the 'rpush' command", 'auth'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'client_error'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'server_error'],
    ["READONLY You can't write against a read only replica.", 'server_error'],
    ['LOADING Redis is loading the dataset in memory', 'server_error'],
    ['MOVED 3999 10.0.0.7:6381', 'client_error'],
    ['ERR DB index is out of range', 'client_error'],
    ['ERR something new', 'server_error'],
    ['Socket closed unexpectedly', 'network'],
  ])('%s', (message, expected) => {
    expect(reason(message)).toMatchObject({ name: 'RetriableError', reason: expected });
    expect(reason(message).message).not.toMatch(/ada|10\.0\.0\.7/);
  });

  test('that the value is too large is for good', () => {
    expect(reason('ERR string exceeds maximum allowed size (proto-max-bulk-len)')).toMatchObject({
      name: 'PermanentError',
      reason: 'payload',
    });
  });
});

describe('an answer that is no error', () => {
  const answering = (answer: string) => (socket: Socket) =>
    void socket.on('data', () => socket.write(answer));

  test.each([
    ['the request itself', (socket: Socket) => void socket.pipe(socket), 'list'],
    ['a text', answering('+QUEUED\r\n+QUEUED\r\n'), 'list'],
    ['nothing', answering('$-1\r\n*-1\r\n'), 'hashmap'],
    ['a number below zero', answering(':-1\r\n:-1\r\n'), 'hashmap'],
    ['a list of no length', answering(':0\r\n:0\r\n'), 'list'],
  ])('%s does not count as stored, and the connection is given up', async (_what, serve, storagetype) => {
    const { output, sockets } = await outputTo(serve, { storagetype });
    for (const failure of await failuresOf(trySend(output, falcoAlerts(2)), 2)) {
      expect(failure).toMatchObject({
        name: 'RetriableError',
        reason: 'server_error',
        message: expect.stringContaining('unexpected answer'),
      });
    }
    await expect(failureOf(trySend(output, falcoAlerts(2)))).resolves.toBeDefined();
    expect(sockets).toHaveLength(2);
  });

  test('a number counts: the length of the list, 0 for a field that the hash has already', async () => {
    const list = await outputTo(answering(':7\r\n:8\r\n'));
    await trySend(list.output, falcoAlerts(2));
    const hash = await outputTo(answering(':1\r\n:0\r\n'), { storagetype: 'hashmap' });
    await trySend(hash.output, falcoAlerts(2));
  });
});

describe('a server that hangs up', () => {
  const PROTECTED = '-DENIED Redis is running in protected mode because no password is set\r\n';
  const saying = (text: string) => (socket: Socket) => void socket.end(text);
  const login = { password: 'x' };

  test.each([
    ['without a word', saying(''), {}, 'network', 'the connection was lost'],
    ['without a word, at the login', saying(''), login, 'network', 'the connection was lost'],
    ['in protected mode', saying(PROTECTED), {}, 'auth', 'protected mode'],
    ['in protected mode, at the login', saying(PROTECTED), login, 'auth', 'protected mode'],
    [
      'with no connection left',
      saying('-ERR max number of clients reached\r\n'),
      {},
      'server_error',
      'no connection left',
    ],
    [
      'and is none of Redis',
      (socket: Socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      {},
      'server_error',
      'does not speak the protocol',
    ],
  ])('%s', async (_how, serve, config, reason, text) => {
    const { output } = await outputTo(serve, config);
    for (const failure of await failuresOf(trySend(output, falcoAlerts(3)), 3)) {
      expect(failure).toMatchObject({
        name: 'RetriableError',
        reason,
        message: expect.stringContaining(text),
      });
    }
  });
});

test('what a server has confirmed before the try ended is not sent again', async () => {
  const { output } = await outputTo(socket => void socket.once('data', () => socket.write(':1\r\n:2\r\n')));
  const [first, second, third] = await failuresOf(trySend(output, falcoAlerts(3), 300), 3);
  expect([first, second]).toEqual([undefined, undefined]);
  expect(third).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
});
