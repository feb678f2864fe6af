/** Loads the NATS client, which only who talks to NATS needs. */
import type * as Transport from '@nats-io/transport-node';

interface NodeTransport {
  connected: boolean;
  socket?: { destroy(): void };
}

const MENDED = Symbol('mended');

type Close = (this: NodeTransport, error?: Error) => Promise<void>;

interface Prototype {
  close: Close;
  disconnect: (this: NodeTransport & { close: Close }) => void;
  [MENDED]?: boolean;
}

/**
 * The client's package. What @nats-io/transport-node 3.4.0 does with a server that hangs is mended in two places:
 * - It forgets a socket when the time to connect runs out before the server has said hello: such a server would collect
 *   one open socket per try. So the method that ends a transport ends such a socket too.
 * - It leaves a connection, be it stale or to be made anew, only when everything has been written: never, once the
 *   server reads no more and the socket is full. So it is left at once. What is on its way may be lost, which whoever
 *   publishes has to reckon with whenever a connection breaks.
 */
export async function loadTransport(): Promise<typeof Transport> {
  const inside = '@nats-io/transport-node/lib/node_transport.js';
  const [transport, { NodeTransport }] = await Promise.all([
    import('@nats-io/transport-node'),
    import(inside) as Promise<{ NodeTransport: { prototype: Prototype } }>,
  ]);
  const { prototype } = NodeTransport;
  if (prototype[MENDED]) return transport;
  const { close } = prototype;
  prototype[MENDED] = true;
  prototype.close = async function (error) {
    if (!this.connected) this.socket?.destroy();
    await close.call(this, error);
  };
  prototype.disconnect = function () {
    void this.close();
  };
  return transport;
}
