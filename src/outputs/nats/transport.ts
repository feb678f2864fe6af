/**
 * nats 2.29.3 forgets a socket when the time to connect runs out before the server has said hello: a server that hangs
 * would collect one open socket per try. So the method that ends a transport also ends such a socket.
 */

interface Transport {
  connected: boolean;
  socket?: { destroy(): void };
}

type Close = (this: Transport, error?: Error) => Promise<void>;

const MENDED = Symbol('mended');

/** Puts the method in place; doing so again changes nothing. */
export async function mendTransport(): Promise<void> {
  const inside = 'nats/lib/src/node_transport.js';
  const { NodeTransport } = (await import(inside)) as {
    NodeTransport: { prototype: { close: Close; [MENDED]?: boolean } };
  };
  const { prototype } = NodeTransport;
  if (prototype[MENDED]) return;
  const { close } = prototype;
  prototype[MENDED] = true;
  prototype.close = async function (error) {
    if (!this.connected) this.socket?.destroy();
    await close.call(this, error);
  };
}
