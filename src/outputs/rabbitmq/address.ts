/** Reads `url`, an address as in rabbitmq.com/docs/uri-spec and rabbitmq.com/docs/uri-query-parameters. */
import { bareHost, percentDecoded } from '../../core/url-parts.ts';

export interface Address {
  secure: boolean;
  host: string;
  port: number;
  vhost: string;
  username: string;
  password: string;
  /** How to sign in. */
  mechanism: Mechanism;
  /** Seconds between two signs of life. */
  heartbeat: number;
}

export type Mechanism = 'plain' | 'amqplain' | 'external';

const MECHANISMS: readonly Mechanism[] = ['plain', 'amqplain', 'external'];
const HEARTBEAT_SECONDS = 10;
const DEFAULT = { plain: 5672, secure: 5671, user: 'guest' };

/** Parameters that say what the common keys say here, with the key to use. */
const ELSEWHERE: Record<string, string> = {
  cacertfile: 'tls.ca',
  certfile: 'tls.cert',
  keyfile: 'tls.key',
  server_name_indication: 'tls.servername',
  verify: 'tls.insecure',
};

/**
 * Other parameters have no meaning here and are passed over.
 * @throws Error with a sentence without the address, which holds a password
 */
export function parseAddress(text: string): Address {
  const url = URL.parse(text);
  const secure = url?.protocol === 'amqps:';
  if (!url?.hostname || !(secure || url.protocol === 'amqp:')) {
    throw new Error('expected amqp://user:password@host:port/vhost, or amqps://');
  }
  for (const [parameter, key] of Object.entries(ELSEWHERE)) {
    if (url.searchParams.has(parameter)) throw new Error(`expected no ${parameter}: set ${key} instead`);
  }
  const anonymous = url.username === '' && url.password === '';
  return {
    secure,
    host: bareHost(url.hostname),
    port: Number(url.port) || (secure ? DEFAULT.secure : DEFAULT.plain),
    vhost: percentDecoded(url.pathname.slice(1)) || '/',
    username: anonymous ? DEFAULT.user : percentDecoded(url.username),
    password: anonymous ? DEFAULT.user : percentDecoded(url.password),
    mechanism: toMechanism(url.searchParams.get('auth_mechanism')),
    heartbeat: toHeartbeat(url.searchParams.get('heartbeat')),
  };
}

function toMechanism(text: string | null): Mechanism {
  const mechanism = MECHANISMS.find(known => known === (text ?? 'plain').toLowerCase());
  if (!mechanism) throw new Error(`expected as auth_mechanism one of ${MECHANISMS.join(', ')}`);
  return mechanism;
}

// Without signs of life a server that is gone without a word would be waited for; so 0, for none, is not taken.
function toHeartbeat(text: string | null): number {
  const seconds = Number(text ?? HEARTBEAT_SECONDS);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600) {
    throw new Error('expected as heartbeat a number of seconds from 1 to 3600');
  }
  return seconds;
}
