/** What the far machine has not acknowledged of what was written to a TCP connection. */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/**
 * Bytes of the connection that the kernel still keeps, because the far kernel has not acknowledged them; undefined where
 * that cannot be learned (only Linux tells). Node hands out no SIOCOUTQ, so this reads the same number as `tx_queue` in
 * /proc/net/tcp, see proc_net_tcp.rst of the Linux documentation. The file lists every connection of the machine (or
 * container), so it is not for asking a thousand times a second.
 */
export async function unacknowledgedBytes(socket: Socket): Promise<number | undefined> {
  const { localPort, remotePort, localFamily } = socket;
  if (process.platform !== 'linux' || localPort === undefined || remotePort === undefined) return undefined;
  const file = localFamily === 'IPv6' ? '/proc/self/net/tcp6' : '/proc/self/net/tcp';
  const table = await readFile(file, 'latin1').catch(() => '');
  return parseQueue(table, localPort, remotePort);
}

/** `tx_queue` of the connection with these ports; the largest where addresses differ; undefined when it is not there. */
export function parseQueue(table: string, localPort: number, remotePort: number): number | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  // `2: 0100007F:4A37 0100007F:9AE8 01 00000000:00000000 ...`: local, remote, state, tx_queue:rx_queue
  const line = new RegExp(`:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`, 'g');
  const queues = [...table.matchAll(line)].map(([, queue]) => Number.parseInt(queue!, 16));
  return queues.length === 0 ? undefined : Math.max(...queues);
}
