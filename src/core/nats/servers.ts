/** Reads the addresses of NATS servers: one or several, with or without scheme and credentials. */
import { percentDecoded } from '../url-parts.ts';

/** Schemes and whether they ask for TLS; http and https are taken because falcosidekick takes them. */
const SCHEMES: Record<string, boolean> = {
  'nats:': false,
  'http:': false,
  'tls:': true,
  'natss:': true,
  'https:': true,
};

const DEFAULT_PORT = '4222';

export interface Servers {
  /** `host:port` each. */
  addresses: string[];
  /** Whether only TLS will do. */
  secure: boolean;
  /** From the first address that holds any. */
  user?: string;
  password?: string;
  token?: string;
}

/**
 * Reads the addresses. A user without a password is a token, as in every NATS client.
 * @throws Error that names the entry by its position, never its text (it may hold a password)
 */
export function parseServers(hostports: readonly string[]): Servers {
  const servers: Servers = { addresses: [], secure: false };
  hostports.forEach((hostport, index) => {
    const url = toUrl(hostport);
    if (!url?.hostname) throw new Error(`server ${index + 1}: expected nats://host:port`);
    if (!Object.hasOwn(SCHEMES, url.protocol)) {
      throw new Error(`server ${index + 1}: expected nats://, tls:// or natss://, found ${url.protocol}//`);
    }
    servers.secure ||= SCHEMES[url.protocol]!;
    servers.addresses.push(`${url.hostname}:${url.port || DEFAULT_PORT}`);
    if (url.username && servers.user === undefined && servers.token === undefined) {
      if (url.password) {
        servers.user = percentDecoded(url.username);
        servers.password = percentDecoded(url.password);
      } else servers.token = percentDecoded(url.username);
    }
  });
  return servers;
}

function toUrl(hostport: string): URL | null {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(hostport) ? hostport : `nats://${hostport}`;
  // `http://host:80` would lose its port as the scheme's default.
  const [, scheme, rest] = /^(https?):\/\/(.*)$/i.exec(text) ?? [];
  if (scheme === undefined) return URL.parse(text);
  const url = URL.parse(`nats://${rest}`);
  return url && URL.parse(url.href.replace(/^nats:/, scheme.toLowerCase() === 'https' ? 'natss:' : 'nats:'));
}
