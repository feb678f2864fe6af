/** Loads the NATS client, which only who talks to NATS needs. */
import type * as Transport from '@nats-io/transport-node';

interface NodeTransport {
  connected: boolean;
  socket?: { destroy(): void };
}

type Close = (this: NodeTransport, error?: Error) => Promise<void>;

const MENDED = Symbol('mended');

/**
 * The client's package. @nats-io/transport-node 3.4.0 forgets a socket when the time to connect runs out before the
 * server has said hello: a server that hangs would collect one open socket per try. So the method that ends a transport
 * is made to end such a socket too.
 */
export async function loadTransport(): Promise<typeof Transport> {
  const inside = '@nats-io/transport-node/lib/node_transport.js';
  const [transport, { NodeTransport }] = await Promise.all([
    import('@nats-io/transport-node'),
    import(inside) as Promise<{ NodeTransport: { prototype: { close: Close; [MENDED]?: boolean } } }>,
  ]);
  const { prototype } = NodeTransport;
  if (prototype[MENDED]) return transport;
  const { close } = prototype;
  prototype[MENDED] = true;
  prototype.close = async function (error) {
    if (!this.connected) this.socket?.destroy();
    await close.call(this, error);
  };
  return transport;
}
