/** The client's side of SOCKS5 (RFC 1928), with user name and password (RFC 1929). */
import { isIPv4, isIPv6 } from 'node:net';
import { RetriableError } from '../errors.ts';
import { percentDecoded } from '../url-parts.ts';
import { proxyName } from './proxy.ts';
import type { SocketReader } from './socket-reader.ts';

/** What a tunnel leads to; an IPv6 address stands without brackets. */
export interface Destination {
  host: string;
  port: number;
}

const VERSION = 5;
const NO_CREDENTIALS = 0;
const USER_AND_PASSWORD = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** RFC 1928, section 6. */
const REFUSALS = [
  '',
  'a failure of its own',
  'its rules do not allow it',
  'the network cannot be reached',
  'the host cannot be reached',
  'the connection was refused',
  'the connection timed out',
  'it does not know the command',
  'it does not know such addresses',
];

/**
 * Has the proxy connect to the destination, whose name it looks up itself.
 * @throws RetriableError when it refuses or speaks no SOCKS5; WireError when it closes
 */
export async function openSocksTunnel(
  reader: SocketReader,
  proxy: URL,
  destination: Destination,
): Promise<void> {
  const { username, password } = proxy;
  const offered = username === '' ? [NO_CREDENTIALS] : [NO_CREDENTIALS, USER_AND_PASSWORD];
  reader.write(Buffer.from([VERSION, offered.length, ...offered]));
  const [version, method] = await reader.take(2);
  if (version !== VERSION) throw refusal(proxy, 'does not speak SOCKS5', 'network');
  if (method === USER_AND_PASSWORD && username !== '') {
    reader.write(
      Buffer.concat([Buffer.from([1]), sized(percentDecoded(username)), sized(percentDecoded(password))]),
    );
    const [, status] = await reader.take(2);
    if (status !== 0) throw refusal(proxy, 'refuses the user name or password', 'auth');
  } else if (method !== NO_CREDENTIALS) {
    throw refusal(proxy, 'asks for other credentials', 'auth');
  }
  const { host, port } = destination;
  reader.write(Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), address(host), word(port)]));
  const [answered, reply = 0, , type] = await reader.take(4);
  if (answered !== VERSION) throw refusal(proxy, 'does not speak SOCKS5', 'network');
  if (reply !== 0) {
    throw refusal(proxy, `refuses a tunnel (${REFUSALS[reply] ?? `reply ${reply}`})`, 'network');
  }
  // The address that it connects from is of no use here.
  await reader.take((await addressLength(reader, type)) + 2);
}

function refusal(proxy: URL, text: string, reason: 'auth' | 'network'): RetriableError {
  return new RetriableError(`${proxyName(proxy)} ${text}`, { reason });
}

async function addressLength(reader: SocketReader, type: number | undefined): Promise<number> {
  if (type === NAME) return (await reader.take(1))[0]!;
  return type === IPV6 ? 16 : 4;
}

/** A text behind its length, which has one byte. */
function sized(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) {
    throw new RetriableError('SOCKS5 takes no name or password of more than 255 bytes', { reason: 'other' });
  }
  return Buffer.from([bytes.length, ...bytes]);
}

function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function address(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from([IPV4, ...host.split('.').map(Number)]);
  if (isIPv6(host)) return Buffer.concat([Buffer.from([IPV6]), ...groups(host).map(word)]);
  return Buffer.concat([Buffer.from([NAME]), sized(host)]);
}

/** The eight groups of an IPv6 address as URLs hold it, which has no IPv4 at its end. */
function groups(host: string): number[] {
  const [before = [], after = []] = host.split('::').map(half => half.split(':').filter(Boolean));
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].map(group => Number.parseInt(group, 16));
}
