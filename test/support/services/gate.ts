import { connect, createServer, type Socket } from 'node:net';

/** Listens on a port and passes everything on to another one, until it is shut. For servers that are up before they are ready. */
export async function openGate(port: number, target: number): Promise<{ shut(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    return socket;
  };
  const server = createServer(outer => {
    const inner = keep(connect(target, '127.0.0.1'));
    keep(outer).pipe(inner).pipe(outer);
    outer.on('close', () => inner.destroy());
    inner.on('close', () => outer.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    async shut() {
      const closed = new Promise(resolve => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
