import { type HostPort, parseHostPort } from '../_kit/hostport.ts';
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
export function parseBroker(hostport: string): HostPort {
  return parseHostPort(hostport, DEFAULT_PORT);
}

/** kafkajs cuts an address at its first colon; `connectHost` undoes this. */
export function toBrokerText({ host, port }: HostPort): string {
  return `${encodeURIComponent(host)}:${port}`;
}

/** The host as the network knows it. */
export function connectHost(host: string): string {
  return decodeURIComponent(host);
}
