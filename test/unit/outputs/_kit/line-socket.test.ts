import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { RetriableError } from '../../../../src/core/errors.ts';
import { type LineSocketOptions, openLineSocket } from '../../../../src/outputs/_kit/line-socket.ts';
import { endsOf, parseQueue, unacknowledgedBytes } from '../../../../src/outputs/_kit/tcp-queue.ts';
import { type LineReceiver, type ReceiverOptions, startReceiver } from '../../../support/line-receiver.ts';
import { failureOf, hostOf } from '../../../support/services/drive.ts';
import { freePort } from '../../../support/services/process.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

async function receiver(options?: ReceiverOptions): Promise<LineReceiver> {
  const started = await startReceiver(options);
  cleanup.push(() => started.stop());
  return started;
}

function lineSocket(port: number, options: Partial<LineSocketOptions> = {}) {
  const opened = openLineSocket({ host: '127.0.0.1', port, settleMs: 20, log: hostOf().log, ...options });
  cleanup.push(() => opened.close());
  return opened;
}

const soon = (ms = 5000) => AbortSignal.timeout(ms);
const line = (text: string | number) => Buffer.from(`${text}\r\n`);
const FOREVER_MS = 600_000;

describe('lines over a lasting connection', () => {
  test('sends side by side arrive whole and in the order of their calls', async () => {
    const far = await receiver();
    const lines = lineSocket(far.port);
    const texts = Array.from({ length: 300 }, (_, index) => `${index} ${'é'.repeat(index * 10)}`);
    await Promise.all(texts.map(text => lines.send(line(text), soon())));
    await expect.poll(() => far.lines.length).toBe(300);
    expect(far.lines).toEqual(texts);
    expect(far.accepted).toBe(1);
  });

  test('a connection that the server ended while nothing was sent is not written to', async () => {
    const far = await receiver();
    const lines = lineSocket(far.port);
    for (let round = 0; round < 5; round++) {
      await lines.send(line(round), soon());
      for (const socket of far.sockets) socket.end();
      await expect.poll(() => far.sockets.size).toBe(0);
    }
    expect(far.lines).toEqual(['0', '1', '2', '3', '4']);
    expect(far.accepted).toBe(5);
  });

  test('what was written fails when the connection breaks before it counts', async () => {
    const far = await receiver({ paused: true });
    const lines = lineSocket(far.port, { settleMs: FOREVER_MS });
    const sends = [1, 2, 3].map(number => failureOf(lines.send(line(number), soon())));
    await expect.poll(() => far.sockets.size).toBe(1);
    await far.stop();
    for (const failure of await Promise.all(sends)) {
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
    }
    await far.start();
    const again = openLineSocket({ host: '127.0.0.1', port: far.port, settleMs: 20, log: hostOf().log });
    cleanup.push(() => again.close());
    await again.send(line(4), soon());
  });

  test('a server that takes nothing makes sends time out, and gets nothing twice over one connection', async () => {
    const far = await receiver({ paused: true });
    const lines = lineSocket(far.port);
    const huge = Buffer.concat([Buffer.alloc(16 * 2 ** 20, 'x'), line('')]);
    expect(await failureOf(lines.send(huge, soon(300)))).toMatchObject({ reason: 'timeout' });
    expect(await failureOf(lines.send(huge, soon(300)))).toMatchObject({ reason: 'timeout' });
    expect(far.accepted).toBe(2);
  });

  test('probe connects and sends nothing; an absent server is no connection', async () => {
    const far = await receiver();
    await lineSocket(far.port).probe(soon());
    expect(far.lines).toEqual([]);
    const lonely = lineSocket(await freePort());
    for (const work of [lonely.probe(soon()), lonely.send(line(1), soon())]) {
      expect(await failureOf(work)).toMatchObject({ name: 'RetriableError', reason: 'network' });
    }
  });

  test('close lets the server read what was written, and is safe twice', async () => {
    const far = await receiver();
    const lines = lineSocket(far.port, { settleMs: FOREVER_MS });
    const sent = lines.send(line('last'), soon()).catch(() => undefined);
    await expect.poll(() => far.lines).toEqual(['last']);
    await lines.close();
    await lines.close();
    await sent;
    await expect.poll(() => far.sockets.size).toBe(0);
  });
});

describe('a connection per send, confirmed by its end', () => {
  test('counts only when the server has read everything', async () => {
    const far = await receiver({ paused: true });
    const lines = lineSocket(far.port, { confirmByClose: true });
    let done = false;
    const sent = lines.send(line(1), soon()).then(() => {
      done = true;
    });
    await expect.poll(() => far.sockets.size).toBe(1);
    await lineSocket((await receiver()).port).send(line('meanwhile'), soon());
    expect(done).toBe(false);
    for (const socket of far.sockets) socket.resume();
    await sent;
    expect(far.lines).toEqual(['1']);
  });

  test('fails when the server goes away without reading', async () => {
    const far = await receiver({ paused: true });
    const failure = failureOf(lineSocket(far.port, { confirmByClose: true }).send(line(1), soon()));
    await expect.poll(() => far.sockets.size).toBe(1);
    await far.stop();
    expect(await failure).toBeInstanceOf(RetriableError);
  });

  // The end and the reset come both before the sender looks, and only the end can be read.
  test.runIf(process.platform === 'linux')(
    'fails when the server ends the connection before it gets anything',
    async () => {
      const far = createServer(socket => socket.on('error', () => undefined).destroy());
      await once(far.listen(0, '127.0.0.1'), 'listening');
      cleanup.push(() => far.close());
      const lines = lineSocket((far.address() as AddressInfo).port, { confirmByClose: true });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 200 }, (_, index) => lines.send(line(index), soon())),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    },
  );

  test('ends its connection when the time is over', async () => {
    const far = await receiver({ paused: true });
    const lines = lineSocket(far.port, { confirmByClose: true });
    expect(await failureOf(lines.send(line(1), soon(200)))).toMatchObject({ reason: 'timeout' });
    for (const socket of far.sockets) socket.resume();
    await expect.poll(() => far.sockets.size).toBe(0);
  });
});

describe('what the far machine has not acknowledged', () => {
  const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr
   2: 0100007F:4A37 0100007F:9AE8 01 00000010:00000000 00:00000000 00000000     0        0 1 1
  15: 0100007F:9AE8 0100007F:4A37 01 00000000:00000000 00:00000000 00000000     0        0 2 2
  16: 0200007F:9AE8 0200007F:4A37 01 0000000F:00000000 00:00000000 00000000     0        0 3 2`;

  test('is found by the two ports, the larger where they are not enough', () => {
    expect(parseQueue(TABLE, 0x4a37, 0x9ae8)).toBe(16);
    expect(parseQueue(TABLE, 0x9ae8, 0x4a37)).toBe(15);
    expect(parseQueue(TABLE, 1, 2)).toBeUndefined();
  });

  test.runIf(process.platform === 'linux')(
    'is none when all was read, and some when the windows are full',
    async () => {
      const [open, shut] = [await receiver(), await receiver({ paused: true })];
      const quick = connect(open.port, '127.0.0.1');
      const stuck = connect(shut.port, '127.0.0.1');
      cleanup.push(
        () => quick.destroy(),
        () => stuck.destroy(),
      );
      await Promise.all([once(quick, 'connect'), once(stuck, 'connect')]);
      quick.write(line(1));
      await expect.poll(() => open.lines).toEqual(['1']);
      await expect.poll(() => unacknowledgedBytes(endsOf(quick))).toBe(0);
      const ends = endsOf(stuck.on('error', () => undefined));
      stuck.write(Buffer.alloc(32 * 2 ** 20));
      await expect.poll(() => unacknowledgedBytes(ends)).toBeGreaterThan(0);
      for (const socket of shut.sockets) socket.resetAndDestroy();
      await expect.poll(() => unacknowledgedBytes(ends)).toBe('gone');
    },
  );
});
