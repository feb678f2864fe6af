import type { BalancerName } from './balancers.ts';
import type { Compression } from './codecs.ts';

/** The output's own keys, see index.ts. */
export interface KafkaConfig {
  hostport: string[];
  topic: string;
  sasl: '' | 'PLAIN' | 'SCRAM_SHA256' | 'SCRAM_SHA512' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  tls: boolean;
  username: string;
  password: string;
  balancer: BalancerName;
  clientid: string;
  compression: Compression;
  requiredacks: 'ALL' | 'ONE' | 'NONE';
  topiccreation: boolean;
  key: string;
}

const DEFAULT_PORT = 9092;

/**
 * Reads `host:port`; the port may be left out.
 * @throws Error that says what was expected
 */
export function parseBroker(hostport: string): { host: string; port: number } {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(hostport);
  if (scheme) throw new Error(`expected host:port, found ${scheme[0]} in front`);
  const [, v6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s[\]]+))(?::(\d{1,5}))?$/i.exec(hostport) ?? [];
  const host = v6 ?? name;
  if (host === undefined || Number(port ?? DEFAULT_PORT) > 65535) throw new Error('expected host:port');
  return { host, port: Number(port ?? DEFAULT_PORT) };
}

/** kafkajs cuts an address at its first colon; `connectHost` undoes this. */
export function toBrokerText({ host, port }: { host: string; port: number }): string {
  return `${encodeURIComponent(host)}:${port}`;
}

/** The host as the network knows it. */
export function connectHost(host: string): string {
  return decodeURIComponent(host);
}
