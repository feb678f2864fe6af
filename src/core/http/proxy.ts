/** Which proxy a request goes through, by the rules of Go's net/http: falcosidekick's users rely on them. Pure. */
import { BlockList, isIP, isIPv6 } from 'node:net';

/** The proxy variables; the upper-case name wins. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

const PROXY_SCHEMES = new Set(['http:', 'https:', 'socks5:']);

/**
 * The proxy for a target, or undefined for none. Loopback addresses and `localhost` go directly unless `explicit` is
 * set, which overrules everything.
 * @throws Error when the proxy is not a URL (its text, which may hold a password, is not repeated)
 */
export function proxyFor(target: URL, env: ProxyEnvironment, explicit = ''): URL | undefined {
  if (explicit !== '') return parseProxy(explicit, 'proxy');
  const name = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = variable(env, name);
  if (value === '' || isLoopback(hostOf(target)) || isExempt(target, variable(env, 'NO_PROXY')))
    return undefined;
  return parseProxy(value, name);
}

/** A proxy as errors name it: without user name and password. */
export function proxyName({ protocol, host }: URL): string {
  return `the proxy ${protocol}//${host}`;
}

function variable(env: ProxyEnvironment, name: string): string {
  return (env[name] || env[name.toLowerCase()] || '').trim();
}

function parseProxy(value: string, name: string): URL {
  // A bare `host:port` is taken for HTTP.
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (!url || !PROXY_SCHEMES.has(url.protocol) || url.hostname === '') {
    throw new Error(`${name} is not the URL of an HTTP, HTTPS or SOCKS5 proxy`);
  }
  return url;
}

function hostOf(target: URL): string {
  return target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Entries of NO_PROXY: `*`; an address or a range of addresses; `example.com` (with what is below it), `.example.com`
 * or `*.example.com` (only what is below it); each but a range with or without `:port`.
 */
function isExempt(target: URL, list: string): boolean {
  const host = hostOf(target);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some(entry => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInRange(entry, host);
  const [name, wantedPort] = splitPort(entry);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  if (isIP(name)) return name === host;
  if (name.startsWith('*.')) return host.endsWith(name.slice(1));
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || host.endsWith(`.${name}`);
}

function splitPort(entry: string): [string, string | undefined] {
  if (isIPv6(entry)) return [entry, undefined];
  const match = /^(.*?)(?::(\d+))?$/.exec(entry)!;
  return [match[1]!.replace(/^\[|\]$/g, ''), match[2]];
}

function isInRange(range: string, host: string): boolean {
  const family = isIP(host);
  const [network = '', prefix = ''] = range.split('/');
  if (family === 0 || isIP(network) !== family || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
