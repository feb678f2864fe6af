import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dispatch, farEnds, ok, onRequests, poolTo } from './support.ts';

const { farEnd } = farEnds();

// What a far side may do with a request.
const deeds: Record<string, (socket: Socket) => void> = {
  answer: socket => void socket.write(ok('fine')),
  chunks: socket =>
    void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'),
  'an answer and the end': socket => void socket.end(ok('fine')),
  'an answer and more': socket => void socket.write(`${ok('fine')}HTTP/1.1 500 X\r\n\r\n`),
  'an answer that closes': socket => void socket.write(ok('fine', 'Connection: close\r\n')),
  'a body to the end': socket => void socket.end('HTTP/1.1 200 OK\r\n\r\nrest'),
  'a head, then nothing': socket => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxx'),
  'half a head and the end': socket => void socket.end('HTTP/1.1 200'),
  garbage: socket => void socket.write('\0\x01garbage'),
  nothing: () => {},
  end: socket => void socket.end(),
  reset: socket => void socket.resetAndDestroy(),
};

test('whatever the far side does, and whenever we stop: each request ends exactly once', async () => {
  let script: string[] = [];
  const server = await farEnd(socket => {
    onRequests(socket, () => deeds[script.shift() ?? 'answer']!(socket));
  });
  const action = fc.record({
    after: fc.nat(12),
    what: fc.constantFrom('abort', 'abort', 'send', 'send'),
    which: fc.nat(30),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...Object.keys(deeds)), { maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(action, { maxLength: 8 }),
      fc.constantFrom('destroy', 'close', 'close, then destroy'),
      async (plan, connections, count, actions, finish) => {
        script = [...plan];
        const pool = poolTo(server.port, { connections, bodyTimeoutMs: 20 });
        const all = Array.from({ length: count }, () => dispatch(pool));
        for (const { after, what, which } of actions) {
          for (let turns = 0; turns < after; turns++) await turn();
          if (what === 'send') all.push(dispatch(pool));
          else {
            const one = all[which % all.length]!;
            if (one.ends === 0) one.controller!.abort(new Error('no'));
            expect(one.ends).toBe(1);
          }
        }
        if (finish !== 'destroy') pool.close();
        expect(finish === 'destroy' || throws(() => dispatch(pool))).toBe(true);
        if (finish === 'close, then destroy') for (let turns = 0; turns < 5; turns++) await turn();
        // Nobody else ends those that the far side leaves without an answer.
        if (finish === 'close') {
          for (const one of all)
            if (plan.includes('nothing') && one.ends === 0) one.controller!.abort(new Error());
          await Promise.all(all.map(one => one.done));
        } else pool.destroy();
        for (const one of all) expect(one.ends).toBe(1);
        await server.until(() => server.open === 0);
        for (const one of all) expect(one.ends).toBe(1);
        server.sockets.length = 0;
        server.came.length = 0;
      },
    ),
    { numRuns: 150 },
  );
});

function throws(act: () => void): boolean {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}
