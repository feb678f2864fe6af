/** Which proxy a request goes through, by the rules of Go's net/http: falcosidekick's users rely on them. Pure. */

import { BlockList, isIP, isIPv6 } from 'node:net';
import { RetriableError } from '../errors.ts';
import { bareHost } from '../url-parts.ts';

/** The proxy variables; the upper-case name wins. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

const PROXY_SCHEMES = new Set(['http:', 'https:', 'socks5:']);

/**
 * The proxy for a target, or undefined for none. Loopback addresses and `localhost` go directly unless `explicit` is
 * set, which overrules everything.
 * @throws RetriableError that names the setting when that is not the URL of a proxy (its text, which may hold a
 * password, is not repeated)
 */
export function proxyFor(target: URL, env: ProxyEnvironment, explicit = ''): URL | undefined {
  if (explicit !== '') return parseProxy(explicit, 'proxy');
  const name = variableName(env, target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  const value = textOf(env, name);
  if (value === '' || isLoopback(hostOf(target)) || isExempt(target, env)) return undefined;
  return parseProxy(value, name);
}

/** A proxy as errors name it: without user name and password. */
export function proxyName({ protocol, host }: URL): string {
  return `the proxy ${protocol}//${host}`;
}

/** The spelling that counts. */
function variableName(env: ProxyEnvironment, name: string): string {
  return env[name] ? name : name.toLowerCase();
}

function textOf(env: ProxyEnvironment, name: string): string {
  return (env[name] ?? '').trim();
}

/** @throws RetriableError: the alert is good, and the setting can be mended */
function parseProxy(value: string, name: string): URL {
  const url = value.includes('://') ? URL.parse(value) : parseHostAndPort(value);
  // Both leave it to the proxy to look up the target's name.
  if (url?.protocol === 'socks5h:') url.protocol = 'socks5:';
  if (!url || !PROXY_SCHEMES.has(url.protocol) || url.hostname === '') {
    const expected = 'http://host:port is expected, or the same with https:// or socks5://';
    throw new RetriableError(`${name} is not the URL of a proxy: ${expected}`, { reason: 'other' });
  }
  return url;
}

/** Without a scheme it is taken for HTTP; a path is the sign of a scheme that was misspelt (`http//host`). */
function parseHostAndPort(value: string): URL | null {
  const url = URL.parse(`http://${value}`);
  return url?.pathname === '/' ? url : null;
}

function hostOf(target: URL): string {
  return bareHost(target.hostname).toLowerCase();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Entries of NO_PROXY: `*`; an address or a range of addresses; `example.com` (with what is below it), `.example.com`
 * or `*.example.com` (only what is below it); each but a range with or without `:port`.
 */
function isExempt(target: URL, env: ProxyEnvironment): boolean {
  const host = hostOf(target);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return textOf(env, variableName(env, 'NO_PROXY'))
    .toLowerCase()
    .split(/[\s,]+/)
    .some(entry => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [network, prefix] = entry.split('/', 2) as [string, string | undefined];
  if (prefix !== undefined) return /^\d{1,3}$/.test(prefix) && isInRange(network, Number(prefix), host);
  const [name, wantedPort] = splitPort(entry);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  if (isIP(name)) return isInRange(name, addressBits(name), host);
  if (name.startsWith('*.')) return host.endsWith(name.slice(1));
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || host.endsWith(`.${name}`);
}

function splitPort(entry: string): [string, string | undefined] {
  if (isIPv6(entry)) return [entry, undefined];
  const match = /^(.*?)(?::(\d+))?$/.exec(entry)!;
  return [bareHost(match[1]!), match[2]];
}

/** Compares addresses, not their texts: one of IPv6 can be written in many ways. */
function isInRange(network: string, prefix: number, host: string): boolean {
  const family = isIP(host);
  // A zone (`fe80::1%eth0`) is no part of a URL's host.
  if (family === 0 || isIP(network) !== family || network.includes('%')) return false;
  if (prefix > addressBits(host)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, prefix, type);
  return list.check(host, type);
}

function addressBits(address: string): number {
  return isIPv6(address) ? 128 : 32;
}
