import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type DatagramSocket,
  MAX_DATAGRAM,
  openDatagramSocket,
} from '../../../../src/outputs/_kit/datagram-socket.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function receiver(port = 0): Promise<{ socket: Socket; port: number; got: string[] }> {
  const socket = createSocket('udp4');
  const got: string[] = [];
  socket.on('message', message => void got.push(message.toString()));
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port: socket.address().port, got };
}

function sender(port: number, host = '127.0.0.1'): DatagramSocket {
  const socket = openDatagramSocket({ host, port });
  open.push(socket);
  return socket;
}

const signal = () => AbortSignal.timeout(5000);

describe('datagrams', () => {
  test('arrive one by one', async () => {
    const { socket, port, got } = await receiver();
    open.push(socket);
    const sent = await sender(port).send([Buffer.from('a'), Buffer.from('b')], signal());
    expect(sent.size).toBe(0);
    await expect.poll(() => got).toEqual(['a', 'b']);
  });

  test('those that are too large are named, the others go', async () => {
    const { socket, port, got } = await receiver();
    open.push(socket);
    const datagrams = ['a', 'x'.repeat(MAX_DATAGRAM + 1), 'b'].map(text => Buffer.from(text));
    const tooLarge = await sender(port).send(datagrams, signal());
    expect([...tooLarge]).toMatchObject([[1, { name: 'PermanentError', reason: 'payload' }]]);
    await expect.poll(() => got).toEqual(['a', 'b']);
  });

  test('a closed port is noticed, and the server found when it is back', async () => {
    const first = await receiver();
    const out = sender(first.port);
    await out.send([Buffer.from('a')], signal());
    await new Promise<void>(resolve => first.socket.close(resolve));
    await expect(out.send([Buffer.from('b')], signal())).rejects.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
    const second = await receiver(first.port);
    open.push(second.socket);
    await out.send([Buffer.from('c')], signal());
    await expect.poll(() => second.got).toEqual(['c']);
  });

  test('of the addresses of a name the one is found where somebody listens', async () => {
    const { socket, port, got } = await receiver();
    open.push(socket);
    const out = sender(port, 'localhost');
    // The first may be ::1, where nobody is.
    await out.send([Buffer.from('a')], signal()).catch(() => out.send([Buffer.from('a')], signal()));
    await expect.poll(() => got).toEqual(['a']);
  });

  test('a host that cannot be reached is told by the probe', async () => {
    // Linux lets nobody connect there who has not asked for broadcasts.
    await expect(sender(9, '255.255.255.255').probe(signal())).rejects.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
  });

  test('a name that is not known', async () => {
    await expect(sender(1, 'nowhere.invalid').send([Buffer.from('a')], signal())).rejects.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
  });
});
