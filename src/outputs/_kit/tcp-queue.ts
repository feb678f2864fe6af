/** What the far machine has not acknowledged of what was written to a TCP connection. */
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** The two ends of a connection, in as far as they have to be known to find it. */
export interface TcpEnds {
  localPort: number;
  remotePort: number;
  isIPv6: boolean;
}

/** To be asked when the connection is made: of one that has ended the system tells no more. Undefined: it has ended. */
export function endsOf({ localPort, remotePort, localFamily }: Socket): TcpEnds | undefined {
  if (localPort === undefined || remotePort === undefined) return undefined;
  return { localPort, remotePort, isIPv6: localFamily === 'IPv6' };
}

/**
 * Bytes of the connection that the kernel still keeps, because the far kernel has not acknowledged them; 'gone' when it
 * knows the connection no more, as after a reset; undefined where that cannot be learned (only Linux tells). One that
 * this side ended first and the other side after it is known for a minute, in TIME-WAIT.
 *
 * Node hands out no SIOCOUTQ, so this reads the same number as `tx_queue` in /proc/net/tcp, see proc_net_tcp.rst of the
 * Linux documentation. The file lists every connection of the machine (or container), so it is not for asking a
 * thousand times a second.
 */
export async function unacknowledgedBytes(ends: TcpEnds | undefined): Promise<number | 'gone' | undefined> {
  if (process.platform !== 'linux') return undefined;
  const file = ends?.isIPv6 ? '/proc/self/net/tcp6' : '/proc/self/net/tcp';
  const table = await readFile(file, 'latin1').catch(() => undefined);
  if (table === undefined) return undefined;
  return (ends && parseQueue(table, ends.localPort, ends.remotePort)) ?? 'gone';
}

/** `tx_queue` of the connection with these ports; the largest where addresses differ; undefined when it is not there. */
export function parseQueue(table: string, localPort: number, remotePort: number): number | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  // `2: 0100007F:4A37 0100007F:9AE8 01 00000000:00000000 ...`: local, remote, state, tx_queue:rx_queue
  const line = new RegExp(`:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`, 'g');
  const queues = [...table.matchAll(line)].map(([, queue]) => Number.parseInt(queue!, 16));
  return queues.length === 0 ? undefined : Math.max(...queues);
}
