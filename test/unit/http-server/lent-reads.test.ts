/** Accepted connections that read into one buffer: they do all that connections of node:net do. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lendReads } from '../../../src/core/http-server/lent-reads.ts';

type Lent = ReturnType<typeof lendReads>;

let server: Server;
const clients: Socket[] = [];
beforeEach(() => {
  server = createServer({ allowHalfOpen: true });
});
afterEach(() => {
  for (const socket of clients.splice(0)) socket.destroy();
  server.close();
});

/** The two ends of a connection. */
async function pair(limit = 10): Promise<Lent & { client: Socket; accepted: Socket }> {
  server.maxConnections = limit;
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const taken = once(server, 'connection') as Promise<[Socket]>;
  const client = dial();
  const [accepted] = await taken;
  return { ...lendReads(accepted), client, accepted };
}

function dial(): Socket {
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1' }).on('error', () => {});
  clients.push(client);
  return client;
}

it('what comes is only lent, until it is to be kept', async () => {
  const { socket, keep, client } = await pair();
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const text of ['one', 'two']) {
    client.write(text);
    await once(socket, 'data');
  }
  expect(chunks.map(String)).toEqual(['two', 'two']);
  keep();
  for (const text of ['six', 'ten']) {
    client.write(text);
    await once(socket, 'data');
  }
  expect(chunks.slice(2).map(String)).toEqual(['six', 'ten']);
});

it('a paused connection leaves in the kernel what comes, and has all of it afterwards', async () => {
  const { socket, client } = await pair();
  const sent = Buffer.alloc(4 * 1024 * 1024, 'tiercel');
  let got = '';
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1');
    socket.pause();
    setImmediate(() => socket.resume());
  });
  client.end(sent);
  await once(socket, 'end');
  expect(got).toBe(sent.toString('latin1'));
});

it('both ends end, one after the other, and answers go out after the sender’s end', async () => {
  const { socket, client } = await pair();
  socket.on('data', () => {});
  let answer = '';
  client.on('data', chunk => {
    answer += chunk;
  });
  client.end('all');
  await once(socket, 'end');
  socket.end('done');
  await once(client, 'close');
  expect(answer).toBe('done');
});

it('a reset is an error of the connection, and its end', async () => {
  const { socket, client } = await pair();
  const failed = once(socket.resume(), 'error') as Promise<[NodeJS.ErrnoException]>;
  client.resetAndDestroy();
  expect((await failed)[0].code).toBe('ECONNRESET');
  while (!socket.destroyed) await turn();
});

it('the server counts it among its connections for as long as it lasts', async () => {
  const { socket, client } = await pair(1);
  const dropped = once(server, 'drop');
  dial();
  await dropped;
  socket.destroy();
  await once(client, 'close');
  const next = once(server, 'connection');
  dial();
  await next;
});

it('the server waits for it before it is closed', async () => {
  const { socket } = await pair();
  let isClosed = false;
  const closed = new Promise<void>(resolve => {
    server.close(() => {
      isClosed = true;
      resolve();
    });
  });
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(isClosed).toBe(false);
  socket.destroy();
  await closed;
});

it('it knows the far side, and has the settings of the server', async () => {
  const { socket, client, accepted } = await pair();
  expect(socket.remoteAddress).toBe('127.0.0.1');
  expect(socket.remotePort).toBe(client.localPort);
  expect(socket.allowHalfOpen).toBe(true);
  expect(accepted).not.toBe(socket);
});

it('a connection whose reads cannot be lent is used as it is', () => {
  const plain = new Socket();
  const { socket, keep } = lendReads(plain);
  expect(socket).toBe(plain);
  keep();
});
