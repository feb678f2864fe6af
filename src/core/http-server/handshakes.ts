/** Connections whose TLS handshake is not over: neither node:http nor anything else here knows of them yet. */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';

export class Handshakes {
  /** By the far side's address and port: what TLS makes of a connection does not lead back to it. */
  readonly #open = new Map<string, Socket>();

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      const far = farSide(socket);
      this.#open.set(far, socket);
      socket.once('close', () => this.#forget(far, socket));
    });
    server.on('secureConnection', socket => this.#open.delete(farSide(socket)));
  }

  /** Ends all of them. */
  destroy(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  // The far side may use its port anew before the end of the former connection is told.
  #forget(far: string, socket: Socket): void {
    if (this.#open.get(far) === socket) this.#open.delete(far);
  }
}

function farSide({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
