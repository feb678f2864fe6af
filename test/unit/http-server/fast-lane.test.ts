/** The fast lane within the server: whoever sends must not be able to tell it from node:http. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/core/http-server/backend.ts';
import { SpoolFaultError, SpoolFullError } from '../../../src/core/spool/contract.ts';
import { type Certs, makeCerts } from '../../support/certs.ts';
import { alertText, type Rig, raw, startServer } from './support.ts';

let rig: Rig;
const crashes: unknown[] = [];
const onCrash = (error: unknown) => void crashes.push(error);
beforeAll(() => void process.on('unhandledRejection', onCrash));
afterAll(() => void process.off('unhandledRejection', onCrash));
afterEach(async () => {
  await rig.close();
  expect(crashes).toEqual([]);
});

/** A header that the fast lane does not know. */
const SLOW = 'X-Slow: 1\r\n';
const request = (body: string, headers = '') =>
  `POST / HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const rule = (name: string) => alertText({ rule: name, output: 'schön' });
const CLOSE = 'Connection: close\r\n';

const statuses = (answers: string) =>
  [...answers.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
const taken = () => rig.backend.taken.map(alert => alert.rule);

/** Sends the pieces, each in a segment of its own, and reads all answers until the server closes. */
async function inPieces(
  pieces: readonly (string | Buffer)[],
  socket: Socket = connect(rig.port, '127.0.0.1'),
) {
  let answers = '';
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', chunk => {
    answers += chunk;
  });
  const closed = once(socket, 'close');
  for (const piece of pieces) {
    await new Promise(resolve => socket.write(piece, resolve));
    await turn();
    await turn();
  }
  await closed;
  return answers;
}

describe.each([
  ['on the fast lane', ''],
  ['by node:http', SLOW],
])('%s', (_name, slow) => {
  it('a request is the same, wherever it is cut', async () => {
    rig = await startServer();
    const bytes = Buffer.from(request(rule('one'), slow) + request(rule('two'), slow + CLOSE));
    for (let cut = 1; cut < bytes.length; cut++) {
      rig.backend.log.length = 0;
      const answers = await inPieces([bytes.subarray(0, cut), bytes.subarray(cut)]);
      expect([cut, statuses(answers), taken()]).toEqual([cut, [200, 200], ['one', 'two']]);
    }
  });

  it('a request may come byte by byte', async () => {
    rig = await startServer();
    const bytes = Buffer.from(request(rule('one'), slow + CLOSE));
    expect(statuses(await inPieces([...bytes].map(byte => Buffer.from([byte]))))).toEqual([200]);
    expect(taken()).toEqual(['one']);
  });

  it('requests that come in pieces over several connections at once do not mix', async () => {
    rig = await startServer();
    const names = ['one', 'two', 'six', 'ten'];
    const texts = names.map(name =>
      request(alertText({ rule: name, output: name.repeat(50) }), slow + CLOSE),
    );
    for (const cut of [10, texts[0]!.indexOf('{') + 40]) {
      rig.backend.log.length = 0;
      const sockets = names.map(() => connect(rig.port, '127.0.0.1').setNoDelay(true).resume());
      for (const [start, end] of [[0, cut] as const, [cut, undefined] as const]) {
        for (const [index, socket] of sockets.entries()) {
          await new Promise(resolve => socket.write(texts[index]!.slice(start, end), resolve));
          for (let turns = 0; turns < 4; turns++) await turn();
        }
      }
      await Promise.all(sockets.map(socket => socket.closed || once(socket, 'close')));
      const found = rig.backend.taken.map(({ rule: name, output }) => [name, output]);
      expect(found).toEqual(names.map(name => [name, name.repeat(50)]));
    }
  });

  it('requests of all kinds ahead of their answers are answered in order', async () => {
    rig = await startServer();
    const all = [
      [request(rule('1'), slow), 200],
      ['GET /ping HTTP/1.1\r\nHost: a\r\n\r\n', 200],
      [request(rule('2'), slow), 200],
      [request('no alert', slow), 400],
      [request(`${rule('3')}\n{}`, slow), 207],
      ['GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      [request(rule('4'), slow), 200],
      [request(rule('5'), slow + CLOSE), 200],
    ] as const;
    // From the second on the connection is node:http's; so each one is the first to be there once.
    for (let first = 0; first < all.length; first++) {
      rig.backend.log.length = 0;
      const sent = all.slice(first);
      const answers = await raw(rig.port, sent.map(([text]) => text).join(''));
      expect(statuses(answers)).toEqual(sent.map(([, status]) => status));
    }
  });

  it.each([
    ['a length twice', 'Content-Length: 2\r\n'],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\n'],
    ['chunks in strange letters', 'tRANSFER-eNCODING: CHUNKED\r\n'],
    ['a line that is folded', 'Accept: a\r\n b\r\n'],
    ['a bare line feed', 'Accept: a\nTransfer-Encoding: chunked\r\n'],
    ['a space before the colon', 'Accept : a\r\n'],
    ['NUL', 'Accept: \0\r\n'],
    ['a second host', 'Host: b\r\n'],
  ])('nothing is taken of what can be read in two ways: %s', async (_what, header) => {
    rig = await startServer();
    const answers = await raw(
      rig.port,
      request(rule('one'), slow + header + CLOSE),
      request(rule('two'), slow),
    );
    // Of two hosts node:http takes the first; that is one reading.
    const isClear = header.startsWith('Host');
    expect([statuses(answers), taken()]).toEqual(isClear ? [[200], ['one']] : [[400], []]);
  });

  it('garbage behind a request does not change its answer', async () => {
    rig = await startServer();
    for (const close of ['', CLOSE]) {
      const answers = await raw(rig.port, `${request(rule('one'), slow + close)}garbage\r\n\r\n`);
      expect(statuses(answers)[0]).toBe(200);
    }
    expect(taken()).toEqual(['one', 'one']);
  });

  it('a body over the limit is 413', async () => {
    rig = await startServer({ maxBodyBytes: 500 });
    expect(statuses(await raw(rig.port, request(rule('x'.repeat(500)), slow)))).toEqual([413]);
    expect(taken()).toEqual([]);
  });

  it('a sender needs its credentials', async () => {
    const auth = { token: 'secret', username: '', password: '', path: '', adminToken: '' };
    rig = await startServer({ auth });
    const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`;
    const right = request(rule('1'), slow + bearer('secret'));
    expect(statuses(await raw(rig.port, right, request(rule('2'), slow + bearer('secret') + CLOSE)))).toEqual(
      [200, 200],
    );
    expect(statuses(await raw(rig.port, right, request(rule('3'), slow + bearer('wrong'))))).toEqual([
      200, 401,
    ]);
    expect(statuses(await raw(rig.port, request(rule('4'), slow)))).toEqual([401]);
    expect(taken()).toEqual(['1', '2', '1']);
    expect(rig.refused).toEqual(['unauthorized', 'unauthorized']);
  });

  it('a secret path is no way around them', async () => {
    rig = await startServer({
      auth: { token: '', username: '', password: '', path: 'hidden', adminToken: '' },
    });
    expect(statuses(await raw(rig.port, request(rule('1'), slow)))).toEqual([401]);
    const hidden = request(rule('2'), slow + CLOSE).replace('POST /', 'POST /hidden');
    expect(statuses(await raw(rig.port, hidden))).toEqual([200]);
  });

  it('a full spool is 503 with Retry-After, counted and listed; the connection stays', async () => {
    rig = await startServer();
    rig.backend.onTake = async ([draft]) => {
      if (draft!.rule === 'one') throw new SpoolFullError('full');
    };
    const agent = 'User-Agent: falco\r\n';
    const answers = await raw(
      rig.port,
      request(rule('one'), slow + agent),
      request(rule('two'), slow + CLOSE),
    );
    expect(statuses(answers)).toEqual([503, 200]);
    expect(answers).toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 5\r\n[\s\S]*the spool is full/);
    expect(rig.refused).toEqual(['spool_full']);
    expect(rig.server.refusals()).toMatchObject([
      {
        reason: 'spool_full',
        method: 'POST',
        path: '/',
        bytes: Buffer.byteLength(rule('one')),
        sender: { address: '127.0.0.1', userAgent: 'falco' },
      },
    ]);
    expect([taken(), rig.accepted]).toEqual([['two'], 1]);
  });

  it('a spool that cannot write is 503 without Retry-After: the alert goes out all the same', async () => {
    rig = await startServer();
    rig.backend.onTake = async () => {
      throw new SpoolFaultError('EIO');
    };
    const answer = await raw(rig.port, request(rule('one'), slow + CLOSE));
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).not.toMatch(/retry-after/i);
  });

  it('a defect costs its request, not the process nor the connection', async () => {
    rig = await startServer();
    let round = 0;
    const { take } = rig.backend;
    rig.backend.take = drafts => {
      if (++round === 1) throw new TypeError('at once');
      return round === 2 ? Promise.reject(new TypeError('later')) : take.call(rig.backend, drafts);
    };
    const sent = ['1', '2'].map(name => request(rule(name), slow));
    const answers = await raw(rig.port, ...sent, request(rule('3'), slow + CLOSE));
    expect(statuses(answers)).toEqual([500, 500, 200]);
    expect(answers).not.toContain('TypeError');
    expect(taken()).toEqual(['3']);
    expect(rig.refused).toEqual(['internal', 'internal']);
  });

  it('alerts that are safe at once are answered one after the other', async () => {
    rig = await startServer();
    const backend: Backend = rig.backend;
    const { take } = rig.backend;
    backend.take = drafts => {
      void take.call(backend as typeof rig.backend, drafts);
      return undefined;
    };
    const names = Array.from({ length: 50 }, (_, index) => `${index}`);
    const requests = names.map(name => request(rule(name), slow + (name === '49' ? CLOSE : '')));
    expect(statuses(await raw(rig.port, requests.join('')))).toEqual(names.map(() => 200));
    expect([taken(), rig.accepted]).toEqual([names, 50]);
  });

  it('each answer tells the time at which it was given', async () => {
    rig = await startServer();
    const socket = connect(rig.port, '127.0.0.1');
    for (const pauseMs of [0, 2_100]) {
      await sleep(pauseMs);
      const before = Date.now();
      socket.write(request(rule('one'), slow));
      const [answer] = await once(socket, 'data');
      const told = Date.parse(/^Date: (.*)\r$/m.exec(String(answer))![1]!);
      expect(told).toBeGreaterThan(before - 1_500);
      expect(told).toBeLessThanOrEqual(Date.now());
    }
    socket.destroy();
  });

  it('connections beyond the limit are refused', async () => {
    rig = await startServer({ maxConnections: 1 });
    const first = connect(rig.port, '127.0.0.1');
    first.write(request(rule('1'), slow));
    await once(first, 'data');
    expect(await raw(rig.port, request(rule('2'), slow))).toBe('');
    first.destroy();
    await once(first, 'close');
    expect([taken(), rig.refused]).toEqual([['1'], ['overloaded']]);
  });

  it('a sender that leaves half-way leaves nothing behind', async () => {
    rig = await startServer({ maxInFlight: 1 });
    const text = request(rule('one'), slow);
    for (const how of ['end', 'resetAndDestroy'] as const) {
      const socket = connect(rig.port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      await new Promise(resolve => socket.write(text.slice(0, -10), resolve));
      await turn();
      socket[how]();
      await once(socket.resume(), 'close');
    }
    expect(taken()).toEqual([]);
    const next = request(rule('two'), slow + CLOSE);
    let [status] = statuses(await raw(rig.port, next));
    while (status === 503) [status] = statuses(await raw(rig.port, next));
    expect([status, taken()]).toEqual([200, ['two']]);
  });
});

describe('the end of what a sender has to say', () => {
  it('is no reason not to answer it', async () => {
    rig = await startServer();
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    const answers = inPieces([], socket);
    socket.end(request(rule('1')) + request(rule('2')) + request(rule('3')));
    expect(statuses(await answers)).toEqual([200, 200, 200]);
    expect(taken()).toEqual(['1', '2', '3']);
  });

  it.each([
    ['half a request', request(rule('2')).slice(0, -5)],
    ['half a head', 'POST / HT'],
    ['nonsense', 'no HTTP\r\n\r\n'],
  ])('may cut off %s behind others: those are answered, and the connection ends', async (_what, rest) => {
    rig = await startServer();
    const gate = Promise.withResolvers<void>();
    rig.backend.onTake = () => gate.promise;
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    const answers = inPieces([], socket);
    socket.end(request(rule('1')) + rest);
    await once(socket, 'finish');
    gate.resolve();
    expect(statuses(await answers)[0]).toBe(200);
    expect(taken()).toEqual(['1']);
  });
});

describe('closing', () => {
  it('answers what is in flight, ends what is idle, and waits for nobody', async () => {
    rig = await startServer();
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const sockets = [1, 2, 3].map(() => connect(rig.port, '127.0.0.1'));
    const [idle, busy, unused] = sockets as [Socket, Socket, Socket];
    idle.write(request(rule('idle')));
    await once(idle, 'data');
    rig.backend.onTake = () => {
      reached.resolve();
      return gate.promise;
    };
    // More than one request: those that are not answered are not taken.
    busy.write(request(rule('busy')) + request(rule('late')));
    await reached.promise;
    const all = [idle, busy, unused].map(socket => inPieces([], socket));
    const closed = rig.server.close(600_000);
    await all[0];
    gate.resolve();
    const answer = await all[1]!;
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: close\r\n/);
    expect(statuses(answer)).toEqual([200]);
    await all[2];
    await closed;
    expect(taken()).toEqual(['idle', 'busy']);
  });
});

describe('over TLS', () => {
  let dir: string;
  let certs: Certs;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tiercel-fast-'));
    certs = await makeCerts(dir);
  });
  afterAll(() => rm(dir, { recursive: true }));

  it.each(['', SLOW])('with client certificates, all is the same (%j)', async slow => {
    const [certFile, keyFile, clientCaFile] = [certs.serverCert, certs.serverKey, certs.ca];
    rig = await startServer({ tls: { certFile, keyFile, clientCaFile, plainPort: 0, plainPaths: [] } });
    const options = { port: rig.port, host: '127.0.0.1', ca: readFileSync(certs.ca) };
    const known = { ...options, cert: readFileSync(certs.clientCert), key: readFileSync(certs.clientKey) };
    const large = alertText({ rule: 'large', output: 'x'.repeat(60_000) });
    const sent = [
      request(rule('1'), slow),
      request(large, slow),
      'GET /ping HTTP/1.1\r\nHost: a\r\n\r\n',
      request(rule('2'), slow + CLOSE),
    ];
    expect(statuses(await inPieces(sent, connectTls(known)))).toEqual([200, 200, 200, 200]);
    expect(statuses(await inPieces([sent.join('')], connectTls(known)))).toEqual([200, 200, 200, 200]);
    expect(taken()).toEqual(['1', 'large', '2', '1', 'large', '2']);
    const stranger = connectTls(options);
    expect(await inPieces([sent[0]!], stranger).catch(() => '')).toBe('');
    expect(rig.accepted).toBe(6);
  });
});
