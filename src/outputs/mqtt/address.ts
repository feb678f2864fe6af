/** Reads `broker`, with the schemes that falcosidekick's client knows. */
import { bareHost, percentDecoded } from '../../core/url-parts.ts';

export interface Address {
  /** In the words of the mqtt package. */
  protocol: 'mqtt' | 'mqtts' | 'ws' | 'wss';
  host: string;
  port: number;
  /** Of a WebSocket; else empty. */
  path: string;
  /** Empty when the address holds none. */
  username: string;
  password: string;
}

const SCHEMES: Record<string, Address['protocol']> = {
  'tcp:': 'mqtt',
  'mqtt:': 'mqtt',
  'ssl:': 'mqtts',
  'tls:': 'mqtts',
  'tcps:': 'mqtts',
  'mqtts:': 'mqtts',
  'mqtt+ssl:': 'mqtts',
  'ws:': 'ws',
  'wss:': 'wss',
};

const PORTS = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

/** @throws Error with a sentence without the address, which may hold a password */
export function parseAddress(text: string): Address {
  const url = URL.parse(text.includes('://') ? text : `tcp://${text}`);
  const protocol = url && Object.hasOwn(SCHEMES, url.protocol) ? SCHEMES[url.protocol] : undefined;
  if (!protocol || !url?.hostname) {
    throw new Error('expected tcp://host:port, or ssl://, ws:// or wss:// in front of it');
  }
  return {
    protocol,
    host: bareHost(url.hostname),
    port: Number(url.port) || PORTS[protocol],
    path: protocol.startsWith('ws') ? url.pathname + url.search : '',
    username: percentDecoded(url.username),
    password: percentDecoded(url.password),
  };
}
