/** Connections of the fast lane by themselves, with what happens to them after a while and at the limits. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FastLane } from '../../../src/core/http-server/fast-lane.ts';
import type { Denied, LaneOptions } from '../../../src/core/http-server/lane.ts';
import { lendReads } from '../../../src/core/http-server/lent-reads.ts';

type Answer = (denied?: Denied) => void;

interface Rig {
  lane: FastLane;
  server: Server;
  /** At the server's end. */
  sockets: Socket[];
  offered: string[];
  /** Called with what node:http gets, as it comes. */
  onLeft: (socket: Socket) => void;
  /** What node:http got, for each connection that was given to it. */
  handedOver: Promise<string>;
  connect(allowHalfOpen?: boolean): Socket;
}

/** What stands between the server and the lane. */
type Accept = (accepted: Socket) => ReturnType<typeof lendReads>;
let accept: Accept;

const open: Rig[] = [];
const clients: Socket[] = [];
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  for (const { lane, server } of open.splice(0)) {
    lane.destroy();
    await new Promise(resolve => server.close(resolve));
  }
});

async function start(
  offer: (body: string, answer: Answer) => boolean = (_body, answer) => {
    queueMicrotask(answer);
    return true;
  },
  over: Partial<LaneOptions> = {},
): Promise<Rig> {
  const given = Promise.withResolvers<string>();
  const lane = new FastLane({
    admits: () => true,
    offer: (body, _sender, answer) => {
      rig.offered.push(body);
      return offer(body, answer);
    },
    hold: () => true,
    patienceMs: 10,
    // Long enough for a busy machine to get the client's first bytes here.
    silenceMs: () => 500,
    idleMs: () => 600_000,
    ...over,
  });
  const server = createServer({ allowHalfOpen: true }, accepted => {
    const { socket, keep } = accept(accepted);
    rig.sockets.push(socket);
    lane.take(socket, left => {
      keep();
      let text = '';
      left.on('error', () => {});
      left.on('data', chunk => {
        text += chunk;
        rig.onLeft(left);
      });
      left.on('end', () => {
        left.end();
        given.resolve(text);
      });
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const rig: Rig = {
    lane,
    server,
    sockets: [],
    offered: [],
    onLeft: () => {},
    handedOver: given.promise,
    connect: (allowHalfOpen = false) => {
      const { port } = server.address() as AddressInfo;
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
      clients.push(socket);
      return socket.on('error', () => {});
    },
  };
  open.push(rig);
  return rig;
}

const request = (body: string, headers = '') =>
  `POST / HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Answers one after the other, when the test says so. */
async function startHeld(): Promise<Rig & { next(): Promise<void> }> {
  const answers: Answer[] = [];
  const rig = await start((body, answer) => body !== 'bad' && answers.push(answer) > 0);
  const next = async () => {
    while (answers.length === 0) await turn();
    answers.shift()!();
  };
  return Object.assign(rig, { next });
}

describe.each<[string, Accept]>([
  ['that are lent', lendReads],
  ['of its own', socket => ({ socket, keep() {} })],
])('a connection that reads bytes %s', (_name, way) => {
  beforeAll(() => {
    accept = way;
  });

  it('half a request goes to node:http after a while, with all of its bytes', async () => {
    const rig = await start();
    const socket = rig.connect();
    socket.write(request('1'));
    await once(socket, 'data');
    socket.write(request('hello').slice(0, -3));
    while (rig.lane.size > 0) await turn();
    socket.end('llo');
    expect(await rig.handedOver).toBe(request('hello'));
    expect(rig.offered).toEqual(['1']);
  });

  it('what is held is counted; beyond the limit it goes to node:http at once', async () => {
    let held = 0;
    const hold = (bytes: number) => {
      held += bytes;
      return held <= 1000;
    };
    const rig = await start(undefined, { hold, patienceMs: 600_000 });
    const half = request('x'.repeat(900)).slice(0, -300);
    const [first, second] = [rig.connect(), rig.connect()];
    first.write(half);
    while (held === 0) await turn();
    expect(held).toBe(half.length);
    second.write(half);
    while (rig.lane.size > 1) await turn();
    expect(held).toBe(half.length);
    second.end();
    expect(await rig.handedOver).toBe(half);
    first.write('x'.repeat(300));
    await once(first, 'data');
    expect([held, rig.offered.length]).toEqual([0, 1]);
    first.write(half);
    while (held === 0) await turn();
    first.resetAndDestroy();
    while (rig.lane.size > 0) await turn();
    expect(held).toBe(0);
  });

  it('a connection over which nothing comes goes to node:http after a while', async () => {
    const rig = await start();
    const socket = rig.connect();
    await once(socket, 'connect');
    while (rig.sockets.length === 0 || rig.lane.size > 0) await turn();
    socket.end('GET / HTTP/1.1\r\n\r\n');
    expect(await rig.handedOver).toBe('GET / HTTP/1.1\r\n\r\n');
  });

  it('an idle connection ends in time, and nothing is taken over it any more', async () => {
    const rig = await start(undefined, { idleMs: () => 30 });
    const socket = rig.connect(true);
    socket.write(request('1'));
    socket.resume();
    await once(socket, 'end');
    socket.write(request('2'));
    while (rig.lane.size > 0) await turn();
    expect(rig.offered).toEqual(['1']);
  });

  it('what comes behind the last request is neither taken nor waited for', async () => {
    const answers: Answer[] = [];
    const rig = await start((_body, answer) => answers.push(answer) > 0);
    const socket = rig.connect();
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.write(request('1', 'Connection: close\r\n') + request('2'));
    while (answers.length === 0) await turn();
    // More than the kernel holds: the connection is not read while the answer is waited for.
    const more = Buffer.from(request('3').repeat(200_000));
    socket.write(more);
    while (!rig.sockets[0]!.isPaused()) await turn();
    answers[0]!();
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(1);
    expect(rig.offered).toEqual(['1']);
    while (rig.lane.size > 0) await turn();
  });

  it('a far side that never ends its half is left after a while', async () => {
    const rig = await start();
    const socket = rig.connect(true);
    socket.write(request('1', 'Connection: close\r\n'));
    await once(socket.resume(), 'end');
    while (rig.lane.size > 0) await turn();
    expect(rig.sockets[0]!.destroyed).toBe(true);
  });

  it('whoever sends without reading its answers cannot fill the memory with them', async () => {
    const size = 100_000;
    const rig = await start((_body, answer) => {
      setImmediate(answer, { status: 503, message: 'x'.repeat(size) });
      return true;
    });
    const socket = rig.connect();
    const count = 500;
    socket.pause();
    socket.write(request('hello').repeat(count));
    while (!rig.sockets[0]?.writableNeedDrain) await turn();
    for (let turns = 0; turns < 100; turns++) await turn();
    const held = rig.sockets[0]!;
    expect(held.writableLength).toBeLessThan(held.writableHighWaterMark + 2 * size);
    expect(rig.offered.length).toBeLessThan(count);
    let bytes = 0;
    socket.on('data', chunk => {
      bytes += chunk.length;
    });
    socket.resume();
    while (bytes < count * size) await once(socket, 'data');
    expect(rig.offered).toHaveLength(count);
  });

  it('whoever sends without reading is left in the end', async () => {
    const rig = await start(
      (_body, answer) => {
        setImmediate(answer, { status: 503, message: 'x'.repeat(100_000) });
        return true;
      },
      { idleMs: () => 50 },
    );
    const socket = rig.connect();
    socket.pause();
    socket.write(request('hello').repeat(500));
    while (rig.sockets.length === 0 || rig.lane.size > 0) await turn();
    expect(rig.sockets[0]!.destroyed).toBe(true);
  });

  it('what is to be refused goes to node:http with all that comes behind it, in order', async () => {
    const rig = await start((body, answer) => {
      if (body === 'bad') return false;
      setImmediate(answer);
      return true;
    });
    const socket = rig.connect();
    const rest = request('bad') + request('good').repeat(30_000);
    socket.end(request('1') + request('2') + rest);
    expect(await rig.handedOver).toBe(rest);
    expect(rig.offered).toEqual(['1', '2', 'bad']);
  });

  it('an answer for a connection that is gone is harmless', async () => {
    const answers: Answer[] = [];
    const rig = await start((_body, answer) => answers.push(answer) > 0);
    const socket = rig.connect();
    socket.write(request('1') + request('2'));
    while (answers.length === 0) await turn();
    socket.resetAndDestroy();
    while (rig.lane.size > 0) await turn();
    answers[0]!();
    answers[0]!({ status: 503, message: 'no' });
    expect(rig.offered).toEqual(['1']);
  });

  it('requests that came before the sender’s end are all answered', async () => {
    const rig = await startHeld();
    const socket = rig.connect(true);
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.end(['1', '2', '3'].map(body => request(body)).join(''));
    while (!rig.sockets[0]?.readableEnded) await turn();
    const ended = once(socket, 'end');
    for (let index = 0; index < 3; index++) await rig.next();
    await ended;
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(text.match(/Connection: close/g)).toHaveLength(1);
    expect(rig.offered).toEqual(['1', '2', '3']);
  });

  it.each([request('bad'), 'POST / HT', request('half').slice(0, -2)])(
    'node:http is told of an end that has come already, behind %j',
    async rest => {
      const rig = await startHeld();
      const socket = rig.connect(true);
      socket.end(request('1') + rest);
      while (!rig.sockets[0]?.readableEnded) await turn();
      await rig.next();
      expect(await rig.handedOver).toBe(rest);
    },
  );

  it('node:http may pause the connection that it is given', async () => {
    const rig = await startHeld();
    const socket = rig.connect();
    const rest = request('bad') + request('good').repeat(50_000);
    let pieces = 0;
    rig.onLeft = left => {
      pieces++;
      left.pause();
    };
    socket.write(request('1'));
    while (rig.offered.length === 0) await turn();
    socket.end(rest);
    while (!rig.sockets[0]!.isPaused()) await turn();
    await rig.next();
    while (pieces === 0) await turn();
    for (let turns = 0; turns < 10; turns++) await turn();
    expect([pieces, rig.sockets[0]!.isPaused()]).toEqual([1, true]);
    rig.onLeft = () => {};
    rig.sockets[0]!.resume();
    expect(await rig.handedOver).toBe(rest);
  });
});
