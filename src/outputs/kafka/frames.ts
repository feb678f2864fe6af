/**
 * kafkajs 2.2.4 believes the size that stands before an answer (kafka.apache.org/protocol, "Request and Response Headers").
 * With less than the 4 bytes of a correlation id it throws out of the socket's event, where nobody catches it; with more
 * than any answer has, such as the 1.2 GB that `HTTP` stands for, it waits for them. Its one method is put in a guard that
 * hangs up instead.
 */
import type { Socket } from 'node:net';

/** Far above the answers that a producer gets: they grow with the partitions of one topic. */
const MOST_BYTES = 64 * 1024 * 1024;

interface Connection {
  socket: Socket;
  /** What has to be there before the next answer is read, its size included. */
  bytesNeeded: number;
  /** Waits for an answer of SASL, which errors of the socket do not reach. */
  authHandlers: { onError(): void } | null;
  processData(data: Buffer): void;
}

let processData: Connection['processData'] | undefined;

function processChecked(this: Connection, data: Buffer): void {
  try {
    processData!.call(this, data);
    if (this.bytesNeeded <= MOST_BYTES) return;
  } catch {
    // Said below: what it throws tells of its buffers, not of the peer.
  }
  this.authHandlers?.onError();
  this.socket.destroy(new Error("what answers does not speak Kafka's protocol"));
}

/** Puts the guard in place; doing so again changes nothing. */
export async function mendFrames(): Promise<void> {
  const inside = 'kafkajs/src/network/connection.js';
  const { default: connection } = (await import(inside)) as { default: { prototype: Connection } };
  processData ??= connection.prototype.processData;
  connection.prototype.processData = processChecked;
}
