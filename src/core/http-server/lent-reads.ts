/**
 * Accepted connections that all read into one buffer. node:net makes a buffer, and an entry in a stream's queue, for each
 * read of a connection that it accepts: some 6 % of what an alert costs (docs/performance.md). Only connections that it
 * opens can be given a buffer, so the accepted one's handle is put into a Socket that is.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** What is no public part of Node.js. Where it is missing, the connection stays the one that was accepted. */
interface Accepted {
  _handle?: { useUserBuffer?: unknown } | null;
}

// One for all connections: what is read is used up before the next read.
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** A connection, and whether its reads are lent. */
export interface LentReads {
  readonly socket: Socket;
  /** From now on nothing is lent. */
  keep(): void;
}

/**
 * Puts a Socket in the place of an accepted one, which is not to be used any more. Its `data` is lent for the time of the
 * event, until `keep` is called. Nothing may have been read yet. A connection over TLS is left as it is.
 */
export function lendReads(accepted: Socket): LentReads {
  const replaced = 'encrypted' in accepted ? undefined : replace(accepted);
  return replaced ?? { socket: accepted, keep() {} };
}

function replace(accepted: Socket & Accepted): LentReads | undefined {
  const handle = accepted._handle;
  if (!handle?.useUserBuffer) return undefined;
  let isLent = true;
  const onread: OnReadOpts = {
    buffer: readBuffer,
    callback: (length: number) => {
      const bytes = readBuffer.subarray(0, length);
      socket.emit('data', isLent ? bytes : Buffer.from(bytes));
      return true;
    },
  };
  const options = { handle, allowHalfOpen: accepted.allowHalfOpen, onread };
  const socket: Socket & Accepted = new Socket(options as SocketConstructorOpts);
  if (socket._handle !== handle) return undefined;
  accepted._handle = null;
  // The server counts the accepted one among its connections until it is destroyed.
  socket.once('close', () => accepted.destroy());
  return {
    socket,
    keep() {
      isLent = false;
    },
  };
}
